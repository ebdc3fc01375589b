#include "exception_text.h"

#include <cstddef>
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <typeinfo>

namespace farside {

namespace {

constexpr size_t maxText = 65536;

std::string limited(std::string_view text) { return std::string(text.substr(0, maxText)); }

std::string limited(const char *text) {
  return text == nullptr ? "(null)" : limited(std::string_view(text));
}

std::string demangledType() {
  const std::type_info *type = abi::__cxa_current_exception_type();
  if (type == nullptr)
    return "foreign exception";
  int status = 0;
  std::unique_ptr<char, void (*)(void *)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free);
  return name ? name.get() : type->name();
}

/// Tries one type of plain value after the other; an exception that is none of them has no text.
template <typename First, typename... Rest> std::optional<std::string> numberText() {
  try {
    throw;
  } catch (First value) {
    if constexpr (std::is_same_v<First, bool>)
      return value ? "true" : "false";
    else
      return std::to_string(value);
  } catch (...) {
    if constexpr (sizeof...(Rest) != 0)
      return numberText<Rest...>();
  }
  return std::nullopt;
}

std::optional<std::string> currentWhat(bool &isNumber) {
  try {
    throw;
  } catch (const std::exception &exception) {
    return limited(exception.what());
  } catch (const std::string &text) {
    return limited(text);
  } catch (std::string_view text) {
    return limited(text);
  } catch (std::nullptr_t) {
    isNumber = true;
    return "nullptr"; // the next handler would take it as well
  } catch (const char *text) {
    return limited(text);
  } catch (char value) {
    return std::string(1, value);
  } catch (...) {
    auto number = numberText<int, long, long long, unsigned, unsigned long, unsigned long long,
                             short, bool, double, float>();
    isNumber = number.has_value();
    return number;
  }
}

} // namespace

ExceptionText describeCurrentException() {
  ExceptionText text{demangledType(), std::nullopt};
  try {
    text.What = currentWhat(text.IsNumber);
  } catch (...) {
    // what() itself threw; the type alone has to do.
  }
  return text;
}

} // namespace farside
