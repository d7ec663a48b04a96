// Carries the precompiled <torch/torch.h> that the rooms with autograd reuse (cmake/Room.cmake).
