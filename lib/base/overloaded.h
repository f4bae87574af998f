#pragma once

namespace searchsync {

// A visitor made of lambdas, one for each alternative: std::visit(Overloaded{…, …}, variant).
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

// GCC deduces this by itself, clang from 17 on.
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace searchsync
