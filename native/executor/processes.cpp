#include "processes.h"

#include "fd.h"
#include "snapshot.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace farside {

namespace {

/// A nice value: a tenth of what others get, so that it ends soon on a busy machine, too.
constexpr int politeness = 10;
constexpr uint64_t forkedWithoutExec = 0x40; // PF_FORKNOEXEC, linux/sched.h

/// The children of one thread, from the kernel's list. False where it was built without that.
bool addChildrenOf(const std::string &task, std::vector<pid_t> &children) {
  std::FILE *list = std::fopen((task + "/children").c_str(), "re");
  if (list == nullptr)
    return false;
  for (int child = 0; std::fscanf(list, "%d", &child) == 1;)
    children.push_back(child);
  std::fclose(list);
  return true;
}

/// Calls `visit` with the name of each entry of a directory.
template <typename Visit> void forEachEntry(const std::string &path, Visit visit) {
  DIR *all = ::opendir(path.c_str());
  while (const dirent *entry = all == nullptr ? nullptr : ::readdir(all))
    if (entry->d_name[0] != '.')
      visit(std::string(entry->d_name));
  if (all != nullptr)
    ::closedir(all);
}

/// The words of /proc/PID/stat from the third on, as `man 5 proc` counts them, and the name.
struct Stat {
  static constexpr size_t first = 3, last = 52;
  char Name[64] = {};
  std::array<std::string_view, last - first + 1> Words;

  uint64_t number(size_t field) const {
    return std::strtoull(std::string(Words[field - first]).c_str(), nullptr, 10);
  }
};

/// `text` holds what the words point into.
bool readStat(const std::string &pid, char (&text)[1024], Stat &stat) {
  UniqueFd file(::open(("/proc/" + pid + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  ssize_t size = file ? readSome(file.get(), text, sizeof text - 1) : 0;
  if (size <= 0)
    return false;
  std::string_view all(text, static_cast<size_t>(size));
  // The name may hold anything; what counts stands behind the last parenthesis.
  size_t begin = all.find('(');
  size_t end = all.rfind(')');
  if (begin == all.npos || end == all.npos)
    return false;
  all.substr(begin + 1, end - begin - 1).copy(stat.Name, sizeof stat.Name - 1);
  std::string_view rest = all.substr(end + 1);
  for (std::string_view &word : stat.Words) {
    size_t start = rest.find_first_not_of(" \n");
    if (start == rest.npos)
      break;
    size_t stop = std::min(rest.find_first_of(" \n", start), rest.size());
    word = rest.substr(start, stop - start);
    rest = rest.substr(stop);
  }
  return !stat.Words[0].empty();
}

/// Whether the kernel has killed a thread for a system call (SECCOMP_MODE_DEAD).
bool wasForbidden(const std::string &pid) {
  char text[4096] = {};
  UniqueFd file(::open(("/proc/" + pid + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  return file && readSome(file.get(), text, sizeof text - 1) > 0 &&
         std::strstr(text, "\nSeccomp:\t3\n") != nullptr;
}

} // namespace

std::optional<ProcessState> stateOf(pid_t process) {
  char text[1024];
  Stat stat;
  if (!readStat(std::to_string(process), text, stat))
    return std::nullopt;
  ProcessState state;
  state.State = stat.Words[0][0];
  state.Executed = (stat.number(9) & forkedWithoutExec) == 0;
  state.IsSnapshot = std::strcmp(stat.Name, sleepingName) == 0;
  state.Seconds = static_cast<double>(stat.number(14) + stat.number(15)) /
                  static_cast<double>(::sysconf(_SC_CLK_TCK));
  state.ExitCode = static_cast<int>(stat.number(52));
  state.Forbidden = state.State == 'Z' && wasForbidden(std::to_string(process));
  return state;
}

bool isAsleepOrDead(pid_t process) {
  std::optional<ProcessState> state = stateOf(process);
  return !state || state->IsSnapshot || state->State == 'Z';
}

std::vector<pid_t> childrenOf(pid_t parent) {
  std::vector<pid_t> children;
  std::string tasks = "/proc/" + std::to_string(parent) + "/task";
  bool listed = false;
  forEachEntry(tasks, [&](const std::string &thread) {
    listed |= addChildrenOf(tasks + "/" + thread, children);
  });
  if (listed)
    return children;
  forEachEntry("/proc", [&](const std::string &pid) {
    char text[1024];
    Stat stat;
    if (readStat(pid, text, stat) && stat.number(4) == static_cast<uint64_t>(parent))
      children.push_back(std::atoi(pid.c_str()));
  });
  return children;
}

void letOthersGoFirst(pid_t process) {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(process), politeness);
}

uint64_t killTree(pid_t root) {
  letOthersGoFirst(root);
  ::kill(root, SIGSTOP); // or it might fork while its children are listed
  uint64_t killed = 1;
  for (pid_t child : childrenOf(root))
    killed += killTree(child);
  ::kill(root, SIGKILL);
  return killed;
}

uint64_t countTree(pid_t root) {
  uint64_t count = 1;
  for (pid_t child : childrenOf(root))
    count += countTree(child);
  return count;
}

void collect(pid_t child) {
  for (;;) {
    siginfo_t ended{};
    if (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG) != 0 ||
        ended.si_pid == child)
      return;
    ::waitid(P_ALL, 0, &ended, WEXITED);
  }
}

void markProcesses(uint64_t mark) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_RTTIME, &limit) == 0 && limit.rlim_max > mark) {
    limit = {mark, mark};
    ::setrlimit(RLIMIT_RTTIME, &limit);
  }
}

bool hasUsedItsTime(pid_t process, int signal, double seconds) {
  rlimit limit{};
  if ((signal != SIGKILL && signal != SIGXCPU) ||
      ::prlimit(process, RLIMIT_CPU, nullptr, &limit) != 0)
    return false;
  // The kernel raises the soft limit by a second when it sends SIGXCPU.
  rlim_t allowed = signal == SIGKILL ? limit.rlim_max : limit.rlim_cur;
  auto granted = static_cast<double>(allowed) - (signal == SIGKILL ? 0 : 1);
  // A virtual machine's processor is counted in two ways that are some percent apart.
  return allowed != RLIM_INFINITY && seconds >= granted * 0.75 - 0.2;
}

} // namespace farside
