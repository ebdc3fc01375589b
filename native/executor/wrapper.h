// ORC's wrapper functions: the C ABI through which every remote call goes.
#pragma once

#include "sps.h"

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace farside {

/// The 16-byte result of a wrapper function, returned in RAX:RDX. ORC's ABI:
/// up to 8 bytes lie in `Inline`, more in malloc'd memory at `Pointer`; size 0 with a pointer is an
/// out-of-band error whose text the pointer owns.
struct WrapperResult {
  union {
    char *Pointer;
    char Inline[8];
  };
  size_t Size;
};

using WrapperFunction = WrapperResult (*)(const char *data, size_t size);

/// Owns a WrapperResult.
class WrapperBuffer {
public:
  explicit WrapperBuffer(WrapperResult raw) : Raw(raw) {}
  WrapperBuffer(const WrapperBuffer &) = delete;
  WrapperBuffer &operator=(const WrapperBuffer &) = delete;
  ~WrapperBuffer() {
    if (Raw.Size > sizeof(Raw.Inline) || isOutOfBandError())
      std::free(Raw.Pointer);
  }

  bool isOutOfBandError() const { return Raw.Size == 0 && Raw.Pointer != nullptr; }
  const char *errorText() const { return Raw.Pointer; }
  std::string_view bytes() const {
    return {Raw.Size > sizeof(Raw.Inline) ? Raw.Pointer : Raw.Inline, Raw.Size};
  }

private:
  WrapperResult Raw;
};

WrapperResult makeResult(std::string_view bytes);
WrapperResult makeOutOfBandError(std::string_view text);

/// Calls the wrapper function at `address`; null calls are the caller's to avoid.
inline WrapperResult callWrapper(uint64_t address, std::string_view arguments) {
  auto function = reinterpret_cast<WrapperFunction>(address);
  return function(arguments.data(), arguments.size());
}

/// Decodes `Arguments` from the bytes, calls `body` with them and encodes what it returns (nothing
/// for void). Bytes after the arguments are ignored, as LLVM does.
template <typename... Arguments, typename Body>
WrapperResult serveWrapper(const char *data, size_t size, Body &&body) {
  Reader in(std::string_view(data, size));
  std::tuple<Arguments...> arguments;
  if (!decode(in, arguments))
    return makeOutOfBandError("Could not deserialize arguments for wrapper function call");
  if constexpr (std::is_void_v<decltype(std::apply(body, arguments))>) {
    std::apply(body, arguments);
    return makeResult({});
  } else {
    std::string out;
    encode(out, std::apply(body, arguments));
    return makeResult(out);
  }
}

} // namespace farside
