// JITDylibs for the code that runs in them: what <dlfcn.h> is for shared libraries.
//
// A JITDylib is made by the session, `session.jitdylib("plugin")` in Python, and filled with cells,
// objects and archives. Code opens it by name. The functions and their results are those of
// <dlfcn.h>; the names are ORC's. `farside::JitDylib` is a handle that closes itself.
//
//   farside::JitDylib plugin("plugin");             // its initialisers run, dependencies first
//   auto answer = plugin.function<int(int)>("answer");
//   return answer ? answer(6) : 0;                  // its exit handlers run when `plugin` goes
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// Opens a JITDylib by name and counts a reference. What it depends on is initialised first, and
/// only what has not been initialised yet. `mode` means nothing. Null on failure.
void *__orc_rt_jit_dlopen(const char *name, int mode);

/// Runs the initialisers that have arrived since the last run. One that throws ends the run with
/// -1 and counts as run; another call goes on with those after it. 0 on success.
int __orc_rt_jit_dlupdate(void *handle);

/// Drops a reference. With the last one the exit handlers run, in reverse, and a later open
/// initialises anew, in the same memory. 0, or -1.
int __orc_rt_jit_dlclose(void *handle);

/// The address of a symbol of the JITDylib, of its link order or of the process's libraries; null
/// if there is none. C++ names are given mangled.
void *__orc_rt_jit_dlsym(void *handle, const char *name);

/// What went wrong last on this thread, until the next call; null if nothing did.
const char *__orc_rt_jit_dlerror(void);

#ifdef __cplusplus
} // extern "C"

namespace farside {

/// An open JITDylib; empty if it could not be opened, and `JitDylib::error()` says why.
class JitDylib {
public:
  JitDylib() = default;
  explicit JitDylib(const char *name) : Handle(__orc_rt_jit_dlopen(name, 1)) {}
  ~JitDylib() { close(); }

  JitDylib(JitDylib &&other) noexcept : Handle(other.release()) {}
  JitDylib &operator=(JitDylib &&other) noexcept {
    void *handle = other.release();
    close();
    Handle = handle;
    return *this;
  }
  JitDylib(const JitDylib &) = delete;
  JitDylib &operator=(const JitDylib &) = delete;

  explicit operator bool() const { return Handle != nullptr; }
  void *handle() const { return Handle; }

  /// Runs the initialisers that are new; false if one threw.
  bool update() { return __orc_rt_jit_dlupdate(Handle) == 0; }

  /// The address of a symbol, or null.
  void *symbol(const char *name) const { return __orc_rt_jit_dlsym(Handle, name); }
  template <typename Function> Function *function(const char *name) const {
    return reinterpret_cast<Function *>(symbol(name));
  }
  template <typename Variable> Variable *variable(const char *name) const {
    return static_cast<Variable *>(symbol(name));
  }

  /// Closes it now; false if an exit handler threw.
  bool close() {
    void *handle = release();
    return handle == nullptr || __orc_rt_jit_dlclose(handle) == 0;
  }

  /// Gives up the handle without closing it.
  void *release() {
    void *handle = Handle;
    Handle = nullptr;
    return handle;
  }

  /// What went wrong last on this thread; empty if nothing did.
  static const char *error() {
    const char *text = __orc_rt_jit_dlerror();
    return text != nullptr ? text : "";
  }

private:
  void *Handle = nullptr;
};

} // namespace farside
#endif
