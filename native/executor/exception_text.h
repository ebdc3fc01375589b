// Says in words what user code threw.
#pragma once

#include <optional>
#include <string>

namespace farside {

struct ExceptionText {
  std::string Type; // demangled
  std::optional<std::string> What;
  bool IsNumber = false; // What is one, or true, false, nullptr
};

/// Describes the exception that is being handled; to be called within a catch block. Text that the
/// exception object gives is limited to 64 KiB.
ExceptionText describeCurrentException();

} // namespace farside
