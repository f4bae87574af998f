#!/usr/bin/env bash
# Installs the Debian packages that building, testing and the demo need: only those that are
# missing, so that a second run asks nothing of the network or of root. `packages.sh clang` also
# installs what `make fuzz` and `make tidy` need.
set -euo pipefail

packages=(
  # to build
  cmake ninja-build ccache g++ pkg-config
  libcpp-httplib-dev libyaml-cpp-dev nlohmann-json3-dev libcurl4-openssl-dev librdkafka-dev
  libpqxx-dev libpq-dev prometheus-cpp-dev librocksdb-dev libsimdjson-dev libfmt-dev libspdlog-dev
  libcli11-dev zlib1g-dev
  # to check
  libgtest-dev libgmock-dev clang-format-14
  # to run real servers
  python3 python3-pip python3-psycopg2 postgresql openjdk-17-jre-headless maven
  curl jq procps iproute2 util-linux openssl
  # to run Kubernetes, whose programs are built with Go, and to make images
  containerd runc containernetworking-plugins iptables nftables buildah ca-certificates
  # to check alerts and the scripts of Argo CD
  prometheus lua5.1
)
if [[ ${1-} == clang ]]; then
  packages+=(clang-16 clang-tidy-16 libclang-rt-16-dev)
fi

installed=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${packages[@]}" \
  2>/dev/null | sed -n 's/^installed //p' || true)
mapfile -t missing < <(comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) \
  <(sort -u <<<"$installed"))
if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "As root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get -o Acquire::Retries=3 update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -q -y --no-install-recommends \
  "${missing[@]}"
