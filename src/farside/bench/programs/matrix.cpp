// Multiplies two square matrices of doubles and checks the product with a vector (Freivalds).
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

class Matrix {
public:
  explicit Matrix(std::size_t size) : size_(size), cells_(size * size) {}

  std::size_t size() const { return size_; }
  double *row(std::size_t i) { return cells_.data() + i * size_; }
  const double *row(std::size_t i) const { return cells_.data() + i * size_; }

private:
  std::size_t size_;
  std::vector<double> cells_;
};

Matrix operator*(const Matrix &a, const Matrix &b) {
  const std::size_t size = a.size();
  Matrix product(size);
  for (std::size_t i = 0; i < size; ++i) {
    double *out = product.row(i);
    for (std::size_t k = 0; k < size; ++k) {
      const double factor = a.row(i)[k];
      const double *in = b.row(k);
      for (std::size_t j = 0; j < size; ++j)
        out[j] += factor * in[j];
    }
  }
  return product;
}

std::vector<double> operator*(const Matrix &a, const std::vector<double> &v) {
  std::vector<double> result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a.size(); ++j)
      result[i] += a.row(i)[j] * v[j];
  }
  return result;
}

int main() {
  const std::size_t size = 1000;
  Matrix a(size);
  Matrix b(size);
  std::uint32_t seed = 1;
  const auto next = [&seed] {
    seed = seed * 1664525u + 1013904223u;
    return static_cast<double>(seed >> 8) / (1 << 24) - 0.5;
  };
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      a.row(i)[j] = next();
      b.row(i)[j] = next();
    }
  }
  const Matrix product = a * b;

  std::vector<double> v(size);
  for (double &component : v)
    component = next();
  const std::vector<double> direct = product * v;
  const std::vector<double> twice = a * (b * v);
  double trace = 0;
  double error = 0;
  for (std::size_t i = 0; i < size; ++i) {
    trace += product.row(i)[i];
    error = std::fmax(error, std::fabs(direct[i] - twice[i]));
  }
  const bool right = error < 1e-9;
  std::printf("the product of two %zu x %zu matrices has trace %.6f, %s\n", size, size, trace,
              right ? "checked" : "WRONG");
  return right ? 0 : 1;
}
