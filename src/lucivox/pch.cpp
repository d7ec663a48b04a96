// Carries the precompiled headers that rooms with tensors share (cmake/Room.cmake).
