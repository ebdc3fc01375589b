// Rich display: values shown at any point of a cell, in several formats.
//
//   farside::display(x);                       // as the value of a cell is shown
//   farside::display(x, "plot");  // under a name ...
//   farside::update_display(y, "plot");        // ... to be replaced later
//   farside::display(farside::html("<b>bold</b>"));
//
// A class is shown in other formats than text by a function that argument-dependent lookup finds:
//
//   farside::Bundle mime_bundle(const Picture &picture) {
//     return {{"image/svg+xml", picture.svg()}, {"text/latex", "$" + picture.formula() + "$"}};
//   }
//
// Its result may be any range of pairs of std::strings, format and content; a function of that name
// with another result is not asked. Binary content (image/png)
// is given as it is, or in base64. A function `mime_bundle_repr` whose result has a `dump()` that
// gives a JSON object, as those that xeus-cpp finds, serves as well. The same is then seen when
// such a value ends a cell.
#pragma once

#include <map>
#include <string>
#include <utility>

// The limit 0 is that of farside, 100 elements.
extern "C" void __farside_display(void (*entry)(void *, void *), const volatile void *object,
                                  unsigned long limit, const char *id, unsigned update);

namespace farside {

/// Contents by MIME type.
using Bundle = std::map<std::string, std::string>;

namespace detail {
/// One content in one format.
struct Content {
  std::string type;
  std::string text;

  friend Bundle mime_bundle(const Content &content) { return {{content.type, content.text}}; }
  friend std::string to_string(const Content &content) { return content.text; }
};
} // namespace detail

inline detail::Content mime(std::string type, std::string text) {
  return {std::move(type), std::move(text)};
}
inline detail::Content html(std::string text) { return mime("text/html", std::move(text)); }
inline detail::Content svg(std::string text) { return mime("image/svg+xml", std::move(text)); }
inline detail::Content png(std::string bytes) { return mime("image/png", std::move(bytes)); }
inline detail::Content latex(std::string text) { return mime("text/latex", std::move(text)); }
inline detail::Content markdown(std::string text) { return mime("text/markdown", std::move(text)); }
inline detail::Content json(std::string text) { return mime("application/json", std::move(text)); }

/// Shows a value now. It is shown in a process of its own, so this never throws, and never changes
/// the value. With a name it can be replaced later. G is not to be given: it changes when a cell
/// declares what may change how types are shown.
template <class T, unsigned G = 0> void display(const T &value, const char *id = nullptr) {
  __farside_display(&__farside::rich_entry<const T, G>,
                    &reinterpret_cast<const volatile char &>(value), 0, id, 0);
}
template <class T, unsigned G = 0> void display(const T &value, const std::string &id) {
  farside::display<T, G>(value, id.c_str());
}

/// Replaces what was shown under a name.
template <class T, unsigned G = 0> void update_display(const T &value, const std::string &id) {
  __farside_display(&__farside::rich_entry<const T, G>,
                    &reinterpret_cast<const volatile char &>(value), 0, id.c_str(), 1);
}

} // namespace farside
