#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lucivox {

// The candidate with the smallest edit distance to `word`; empty when none is near enough to be a likely
// misspelling (more than a third of its letters differ).
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// Names in the order that people count in: "view_2" before "view_10".
bool natural_less(std::string_view a, std::string_view b);

// "1.3 GB", "12 s", "3 min 05 s": numbers as people read them.
std::string human_bytes(double bytes);
std::string human_seconds(double seconds);

// ISO 8601 in UTC, "2026-03-01T12:30:00Z".
std::string utc_now();

// RFC 4648, for pictures inside HTML.
std::string base64(std::string_view bytes);

}  // namespace lucivox
