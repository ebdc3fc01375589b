// What programs use most of the standard library's templates, used once.
//
// farside-compiler parses this into its precompiled library, so that a cell finds the instances
// made; farside-executor is compiled with it, so that it has the code of those that are too large
// to be inlined. Nothing calls it. C++17, and no warnings whatever the options.
#if __cplusplus >= 201703L
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"

template <typename T> inline void __farside_use_vector(std::vector<T> &v, const T &value, int n) {
  std::vector<T> empty, copy(v), filled(n, value), sized(n), listed{value, value},
      moved(std::move(copy));
  copy = v;
  copy = std::move(filled);
  copy = {value};
  v.push_back(value);
  v.push_back(T(value));
  v.emplace_back(value);
  v.emplace_back(T(value));
  v.emplace_back();
  v.resize(n);
  v.resize(n, value);
  v.reserve(n);
  v.assign(n, value);
  v.insert(v.begin(), value);
  v.insert(v.end(), listed.begin(), listed.end());
  v.erase(v.begin());
  v.erase(v.begin(), v.end());
  v.pop_back();
  v.swap(empty);
  v.shrink_to_fit();
  v.clear();
  if (!v.empty() && v.size() < v.capacity())
    v[0] = v.at(n) = v.front() = v.back() = *v.data();
  for (T &each : v)
    each = value;
  const std::vector<T> &fixed = v;
  for (const T &each : fixed)
    (void)(each == fixed[0] || each == fixed.at(0) || each == fixed.front() ||
           each == fixed.back());
  for (auto at = fixed.begin(); at != fixed.end(); ++at)
    (void)(*at == *fixed.rbegin());
}

template <typename T> inline void __farside_use_algorithms(std::vector<T> &v, const T &value) {
  std::sort(v.begin(), v.end());
  std::sort(v.begin(), v.end(), std::greater<T>());
  std::reverse(v.begin(), v.end());
  std::copy(v.begin(), v.end(), v.begin());
  std::fill(v.begin(), v.end(), value);
  v.erase(std::unique(v.begin(), v.end()), v.end());
  v.erase(std::remove(v.begin(), v.end(), value), v.end());
  (void)std::find(v.begin(), v.end(), value);
  (void)std::count(v.begin(), v.end(), value);
  (void)std::lower_bound(v.begin(), v.end(), value);
  (void)std::upper_bound(v.begin(), v.end(), value);
  (void)std::binary_search(v.begin(), v.end(), value);
  (void)std::min_element(v.begin(), v.end());
  (void)std::max_element(v.begin(), v.end());
  (void)std::accumulate(v.begin(), v.end(), T());
  (void)(std::max(value, v[0]) == std::min(value, v[0]));
  std::swap(v[0], v[1]);
}

template <typename Map>
inline void __farside_use_map(Map &m, const typename Map::key_type &key,
                              const typename Map::mapped_type &value) {
  Map copy(m), moved(std::move(copy)), listed{{key, value}, {key, value}};
  copy = m;
  copy = std::move(moved);
  m[key] = value;
  m[typename Map::key_type(key)] = value;
  (void)(m.at(key) == value);
  m.insert({key, value});
  m.insert(std::make_pair(key, value));
  m.emplace(key, value);
  m.erase(key);
  auto found = m.find(key);
  if (found != m.end() && m.count(key) != 0 && !m.empty() && m.size() != 0)
    m.erase(found);
  for (auto &each : m)
    each.second = value;
  for (const auto &[name, content] : m)
    (void)(name == key && content == value);
  m.clear();
}

template <typename Set>
inline void __farside_use_set(Set &s, const typename Set::value_type &value) {
  Set copy(s), moved(std::move(copy)), listed{value, value};
  copy = s;
  s.insert(value);
  s.insert(typename Set::value_type(value));
  s.emplace(value);
  s.erase(value);
  if (s.find(value) != s.end() && s.count(value) != 0 && !s.empty() && s.size() != 0)
    s.erase(s.begin());
  for (const auto &each : s)
    (void)(each == value);
  s.clear();
}

inline void __farside_use_strings(std::string &s, const char *text, int n) {
  std::string copy(s), from(text), filled(n, 'x'), part(s, 1, 2), moved(std::move(copy));
  copy = s;
  copy = text;
  copy = std::move(moved);
  s = s + text + s + 'c' + std::to_string(n) + std::to_string(1.5) + std::to_string(7ul);
  s = text + s;
  s = std::string(text) + s;
  s = "a" + std::to_string(n);
  s += text;
  s += s;
  s += 'c';
  s.append(text);
  s.push_back('c');
  s.insert(0, text);
  s.replace(0, 1, text);
  s.erase(0, 1);
  s.resize(n);
  s.reserve(n);
  s = s.substr(1, 2);
  (void)(s == text || s == copy || s < copy || s.empty() || s.size() == s.find(text) ||
         s.find('c') == s.rfind('c') || s.c_str() == text || s.compare(copy) == 0);
  (void)(std::stoi(s) + std::stod(s) + std::stol(s));
  std::reverse(s.begin(), s.end());
  std::sort(s.begin(), s.end());
  for (char &each : s)
    each = s[0];
  std::string_view view(s);
  (void)(view == text || view.substr(1).empty());
}

inline void __farside_use_streams(std::istream &in, std::string &s, int n) {
  std::cout << s << " " << n << 'c' << 1.5 << 1.5f << n * 1l << n * 1ul << true << "\n"
            << std::string_view(s) << std::endl;
  std::cerr << s << " " << n << "\n" << std::endl;
  std::cout << std::setw(n) << std::setprecision(n) << std::fixed << std::hex << &n << std::flush;
  std::ostringstream out;
  out << s << " " << n << 'c' << 1.5;
  s = out.str();
  std::istringstream from(s);
  std::stringstream both;
  both << s << n;
  double number = 0;
  in >> s >> n >> number;
  from >> s >> n >> number;
  both >> s >> n;
  while (std::getline(in, s) && std::getline(from, s, ','))
    s += both.str();
}

inline void __farside_use_others(int n, std::string &s) {
  std::unique_ptr<int> unique = std::make_unique<int>(n);
  std::shared_ptr<int> shared = std::make_shared<int>(n), second = shared;
  std::function<int(int)> apply = [](int x) { return x; };
  std::function<void()> act = [] {};
  act();
  std::optional<int> maybe = apply(n);
  std::pair<int, int> pair{n, n};
  std::pair<std::string, int> named{s, n};
  std::array<int, 4> four{n, n, n, n};
  std::sort(four.begin(), four.end());
  std::deque<int> queue{n};
  queue.push_back(n);
  queue.push_front(n);
  queue.pop_front();
  std::queue<int> line;
  line.push(n);
  line.pop();
  std::stack<int> pile;
  pile.push(n);
  pile.pop();
  std::priority_queue<int> heap;
  heap.push(n);
  heap.pop();
  std::list<int> list{n};
  list.push_back(n);
  (void)(*unique + *shared + maybe.value_or(0) + pair.first + named.second + four[0] + queue[0] +
         list.front());
}

inline void __farside_use_all(int n, const char *text) {
  std::string s = text;
  std::vector<int> ints{n};
  std::vector<double> doubles{1.5};
  std::vector<std::string> strings{s, "a"};
  std::vector<std::pair<int, int>> pairs{{n, n}};
  std::vector<std::vector<int>> rows(n, std::vector<int>(n, n));
  std::vector<std::vector<double>> matrix(n, std::vector<double>(n, 1.5));
  std::vector<bool> bits(n, true);
  bits[0] = !bits[1];
  bits.push_back(true);
  bits.resize(n, false);
  __farside_use_vector(ints, n, n);
  __farside_use_vector(doubles, 1.5, n);
  __farside_use_vector(strings, s, n);
  __farside_use_vector(rows, ints, n);
  __farside_use_algorithms(ints, n);
  __farside_use_algorithms(doubles, 1.5);
  __farside_use_algorithms(strings, s);
  std::sort(pairs.begin(), pairs.end());
  std::iota(ints.begin(), ints.end(), n);
  std::map<std::string, int> counts;
  std::map<std::string, std::string> names;
  std::map<int, int> numbers;
  std::unordered_map<std::string, int> hashed;
  std::unordered_map<int, int> cache;
  __farside_use_map(counts, s, n);
  __farside_use_map(names, s, s);
  __farside_use_map(numbers, n, n);
  __farside_use_map(hashed, s, n);
  __farside_use_map(cache, n, n);
  std::set<int> set;
  std::set<std::string> words;
  std::unordered_set<int> seen;
  __farside_use_set(set, n);
  __farside_use_set(words, s);
  __farside_use_set(seen, n);
  __farside_use_strings(s, text, n);
  __farside_use_streams(std::cin, s, n);
  __farside_use_others(n, s);
}

#pragma clang diagnostic pop
#endif
