{{/* The release's name, with searchsync in it. */}}
{{- define "searchsync.fullname" -}}
{{- if contains "searchsync" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-searchsync" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of the operator's objects, and of its Lease. */}}
{{- define "searchsync.operator" -}}
{{- include "searchsync.fullname" . }}-operator
{{- end -}}

{{- define "searchsync.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "searchsync.operator" .) -}}
{{- end -}}

{{- define "searchsync.image" -}}
{{- $image := .Values.image -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* What selects the operator's pods. The operator's watches select by managed-by=searchsync, which
     these pods must not have. */}}
{{- define "searchsync.selector" -}}
app.kubernetes.io/name: searchsync
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Of every object. */}}
{{- define "searchsync.common" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: searchsync
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "searchsync.labels" -}}
{{ include "searchsync.common" . }}
{{ include "searchsync.selector" . }}
{{- end -}}

{{/* The JSON of --pod-spec; empty if there is nothing in it. */}}
{{- define "searchsync.podSpec" -}}
{{- $spec := dict -}}
{{- range $name, $value := .Values.pods -}}
{{- if or $value (kindIs "bool" $value) }}{{ $_ := set $spec $name $value }}{{ end -}}
{{- end -}}
{{- if $spec }}{{ toJson $spec }}{{ end -}}
{{- end -}}

{{/* What the operator may do in the namespaces it works in: docs/security.md has each reason. */}}
{{- define "searchsync.rules" -}}
# What is declared. It makes and deletes the two of each table of a database, and sets the finalizer of
# those with deletionPolicy: Delete.
- apiGroups: [searchsync.io]
  resources: [searchindices, sourcebindings]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [searchsync.io]
  resources: [searchindices/status, sourcebindings/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, services]
  verbs: [list, watch, create, patch, delete]
# What a capture was configured with, to drop its replication slot.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
