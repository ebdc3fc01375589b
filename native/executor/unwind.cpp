#include "unwind.h"

#include "eh_frame.h"

#include <atomic>
#include <cstdint>
#include <dlfcn.h>
#include <mutex>
#include <pthread.h>
#include <unordered_map>
#include <vector>

namespace farside {

namespace {

struct Node {
  FrameDescription Frame;
  Node *Left;
  Node *Right;
  uint32_t Priority;
  uint32_t Stamp; // the change that made this copy
};

/// What a thread found last for an address, or that it found nothing. A program that throws in a
/// loop asks for the same few addresses again and again.
struct CachedLookup {
  uint64_t Version = 0; // of the index; 0 never is
  uint64_t Pc = 0;
  bool Found = false;
  FrameDescription Frame{};
};

constexpr size_t cacheSize = 32;
thread_local constinit CachedLookup cache[cacheSize] = {};

class FrameIndex {
public:
  static FrameIndex &get() {
    // Never destroyed: destructors that run at exit may throw and catch.
    static auto *index = new FrameIndex;
    return *index;
  }

  FrameIndex() {
    // A fork may come at any time. The child has no other threads, so nobody looks anything up.
    ::pthread_atfork([] { get().Mutex.lock(); }, [] { get().Mutex.unlock(); },
                     [] {
                       get().Readers.store(0);
                       get().Mutex.unlock();
                     });
  }

  bool find(uint64_t pc, FrameDescription &frame) {
    uint64_t version = Version.load();
    CachedLookup &cached = cache[(pc ^ pc >> 8) % cacheSize];
    if (cached.Version != version || cached.Pc != pc) {
      cached.Found = search(pc, cached.Frame);
      cached.Pc = pc;
      cached.Version = version;
    }
    frame = cached.Frame;
    return cached.Found;
  }

  /// Waits for nothing and allocates nothing.
  bool search(uint64_t pc, FrameDescription &frame) {
    Readers.fetch_add(1);
    const Node *best = nullptr;
    for (const Node *node = Root.load(); node != nullptr;) {
      if (pc < node->Frame.Begin) {
        node = node->Left;
      } else {
        best = node;
        node = node->Right;
      }
    }
    bool found = best != nullptr && pc < best->Frame.End;
    if (found)
      frame = best->Frame;
    Readers.fetch_sub(1);
    return found;
  }

  Error add(AddrRange section, const std::vector<FrameDescription> &frames) {
    std::lock_guard lock(Mutex);
    if (Sections.contains(section.Start))
      return Error("this .eh_frame is registered already");
    begin();
    std::vector<uint64_t> keys;
    keys.reserve(frames.size());
    for (const FrameDescription &frame : frames) {
      if (contains(frame.Begin)) {
        for (uint64_t key : keys)
          Draft = erase(Draft, key);
        commit();
        return Error("unwind information for this code is registered already");
      }
      Draft = insert(Draft, new Node{frame, nullptr, nullptr, random(), Stamp});
      keys.push_back(frame.Begin);
    }
    commit();
    Sections.emplace(section.Start, std::move(keys));
    return {};
  }

  Error remove(AddrRange section) {
    std::lock_guard lock(Mutex);
    auto found = Sections.find(section.Start);
    if (found == Sections.end())
      return Error("this .eh_frame is not registered");
    begin();
    for (uint64_t key : found->second)
      Draft = erase(Draft, key);
    commit();
    Sections.erase(found);
    return {};
  }

  size_t sections() {
    std::lock_guard lock(Mutex);
    return Sections.size();
  }

private:
  void begin() {
    Draft = Root.load();
    ++Stamp;
  }

  /// Publishes the draft. A look-up that starts later sees the new root only, so when none is
  /// under way now, nobody can hold a node that was replaced.
  void commit() {
    Root.store(Draft);
    Version.fetch_add(1);
    if (Readers.load() != 0)
      return;
    for (Node *node : Replaced)
      delete node;
    Replaced.clear();
  }

  /// A node that may be changed: this change's own, or a copy.
  Node *own(Node *node) {
    if (node->Stamp == Stamp)
      return node;
    auto *copy = new Node(*node);
    copy->Stamp = Stamp;
    Replaced.push_back(node);
    return copy;
  }

  void discard(Node *node) {
    if (node->Stamp == Stamp)
      delete node; // never published
    else
      Replaced.push_back(node);
  }

  bool contains(uint64_t key) const {
    const Node *node = Draft;
    while (node != nullptr && node->Frame.Begin != key)
      node = key < node->Frame.Begin ? node->Left : node->Right;
    return node != nullptr;
  }

  void split(Node *tree, uint64_t key, Node *&below, Node *&above) {
    if (tree == nullptr) {
      below = above = nullptr;
      return;
    }
    tree = own(tree);
    if (tree->Frame.Begin < key) {
      split(tree->Right, key, tree->Right, above);
      below = tree;
    } else {
      split(tree->Left, key, below, tree->Left);
      above = tree;
    }
  }

  Node *insert(Node *tree, Node *fresh) {
    if (tree == nullptr)
      return fresh;
    if (fresh->Priority > tree->Priority) {
      split(tree, fresh->Frame.Begin, fresh->Left, fresh->Right);
      return fresh;
    }
    tree = own(tree);
    Node *&side = fresh->Frame.Begin < tree->Frame.Begin ? tree->Left : tree->Right;
    side = insert(side, fresh);
    return tree;
  }

  Node *merge(Node *below, Node *above) {
    if (below == nullptr || above == nullptr)
      return below == nullptr ? above : below;
    if (below->Priority > above->Priority) {
      below = own(below);
      below->Right = merge(below->Right, above);
      return below;
    }
    above = own(above);
    above->Left = merge(below, above->Left);
    return above;
  }

  Node *erase(Node *tree, uint64_t key) {
    if (tree == nullptr)
      return nullptr;
    if (tree->Frame.Begin == key) {
      Node *rest = merge(tree->Left, tree->Right);
      discard(tree);
      return rest;
    }
    tree = own(tree);
    Node *&side = key < tree->Frame.Begin ? tree->Left : tree->Right;
    side = erase(side, key);
    return tree;
  }

  uint32_t random() {
    Seed ^= Seed << 13;
    Seed ^= Seed >> 17;
    Seed ^= Seed << 5;
    return Seed;
  }

  std::atomic<Node *> Root{nullptr};
  std::atomic<uint64_t> Version{1};
  std::atomic<uint64_t> Readers{0};
  std::mutex Mutex; // guards what follows
  Node *Draft = nullptr;
  uint32_t Stamp = 0;
  uint32_t Seed = 0x9e3779b9;
  std::vector<Node *> Replaced;
  std::unordered_map<uint64_t, std::vector<uint64_t>> Sections; // start -> first code addresses
};

/// libgcc's `struct dwarf_eh_bases` (unwind-dw2-fde.h): what a found entry is relative to.
struct DwarfEhBases {
  void *Text;
  void *Data;
  void *Function;
};

using FindFde = const void *(*)(void *pc, DwarfEhBases *bases);

} // namespace

Error registerEhFrame(AddrRange section) {
  auto frames = readEhFrame(section);
  return frames ? FrameIndex::get().add(section, *frames) : frames.error();
}

Error deregisterEhFrame(AddrRange section) { return FrameIndex::get().remove(section); }

uint64_t countEhFrames() { return FrameIndex::get().sections(); }

} // namespace farside

extern "C" __attribute__((visibility("default"))) const void *
_Unwind_Find_FDE(void *pc, farside::DwarfEhBases *bases) {
  farside::FrameDescription frame{};
  if (farside::FrameIndex::get().find(reinterpret_cast<uint64_t>(pc), frame)) {
    *bases = {nullptr, nullptr, reinterpret_cast<void *>(frame.Begin)};
    return reinterpret_cast<const void *>(frame.Fde);
  }
  static const auto next =
      reinterpret_cast<farside::FindFde>(::dlsym(RTLD_NEXT, "_Unwind_Find_FDE"));
  return next == nullptr ? nullptr : next(pc, bases);
}
