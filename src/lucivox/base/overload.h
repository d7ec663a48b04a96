#pragma once

namespace lucivox {

// What std::visit takes: one function for each kind. Without one for `const auto&`, a kind that is forgotten
// does not compile.
template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

}  // namespace lucivox
