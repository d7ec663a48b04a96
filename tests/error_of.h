#pragma once

#include <string>

#include <gtest/gtest.h>

#include <lucivox/base/error.h>

// The message of the Error that `body` throws, which must have a hint; a failure when it throws none.
template <typename Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const lucivox::Error& error) {
    EXPECT_FALSE(error.hint().empty()) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}
