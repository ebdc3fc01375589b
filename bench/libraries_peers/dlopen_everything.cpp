// The plain way to find a symbol: load every library and ask each.
//
//   dlopen_everything DIRECTORY NAME…
//
// Prints: libraries, seconds to load all of them, for each name the seconds of asking one library
// after the other (which is what a choice among several needs), and the resident memory in KB.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <dirent.h>
#include <dlfcn.h>
#include <string>
#include <unistd.h>
#include <vector>

using Clock = std::chrono::steady_clock;

static double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int main(int argc, char **argv) {
  std::vector<std::string> paths;
  DIR *directory = opendir(argv[1]);
  while (const dirent *entry = readdir(directory))
    if (std::string(entry->d_name).find(".so") != std::string::npos)
      paths.push_back(std::string(argv[1]) + "/" + entry->d_name);
  closedir(directory);
  std::sort(paths.begin(), paths.end());
  auto start = Clock::now();
  std::vector<void *> handles;
  for (const std::string &path : paths)
    if (void *handle = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL))
      handles.push_back(handle);
  std::printf("%zu %.6f\n", handles.size(), since(start));
  for (int i = 2; i < argc; ++i) {
    start = Clock::now();
    void *found = nullptr;
    for (void *handle : handles)
      if ((found = dlsym(handle, argv[i])) != nullptr)
        break;
    std::printf("%d %.9f\n", found != nullptr, since(start));
  }
  long pages = 0;
  if (std::FILE *status = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(status, "%*d %ld", &pages) != 1)
      return 1;
    std::fclose(status);
  }
  std::printf("%ld\n", pages * sysconf(_SC_PAGESIZE) / 1024);
  std::fflush(stdout);
  _exit(0); // unloading them is not what is measured
}
