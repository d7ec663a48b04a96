#pragma once

namespace lucivox {

// From now on the memory of large freed tensors is kept for the next ones, in huge pages, up to a quarter of
// the machine's. Training asks for the same sizes step after step, and while every one of them comes from the
// system and goes back to it, more than a quarter of a DDNet step at 512x512 is page faults. Call once, when
// a program begins.
void keep_tensor_memory();

}  // namespace lucivox
