// Carries the precompiled LibTorch headers that every target with LibTorch reuses.
