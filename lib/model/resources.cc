#include "lib/model/resources.h"

namespace searchsync::model {

SearchIndexSpec::SearchIndexSpec() = default;
SearchIndexSpec::SearchIndexSpec(const SearchIndexSpec& other) = default;
SearchIndexSpec::SearchIndexSpec(SearchIndexSpec&& other) noexcept = default;
SearchIndexSpec& SearchIndexSpec::operator=(const SearchIndexSpec& other) = default;
SearchIndexSpec& SearchIndexSpec::operator=(SearchIndexSpec&& other) noexcept = default;
SearchIndexSpec::~SearchIndexSpec() = default;
bool operator==(const SearchIndexSpec& a, const SearchIndexSpec& b) = default;

SourceBindingSpec::SourceBindingSpec() = default;
SourceBindingSpec::SourceBindingSpec(const SourceBindingSpec& other) = default;
SourceBindingSpec::SourceBindingSpec(SourceBindingSpec&& other) noexcept = default;
SourceBindingSpec& SourceBindingSpec::operator=(const SourceBindingSpec& other) = default;
SourceBindingSpec& SourceBindingSpec::operator=(SourceBindingSpec&& other) noexcept = default;
SourceBindingSpec::~SourceBindingSpec() = default;
bool operator==(const SourceBindingSpec& a, const SourceBindingSpec& b) = default;

}  // namespace searchsync::model
