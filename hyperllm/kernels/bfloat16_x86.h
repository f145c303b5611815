// The bfloat16 instructions of x86, which Highway 1.0.3 has no words for. Only for
// hyperllm/kernels/{bfloat16,ceilings,contrast_amx}.cpp; contracts as in hyperllm/kernels/panels.h.
#pragma once

#include <cstdint>

namespace hyperllm::kernels {

bool x86_has_avx512_bf16();
// A in quads of rows.
void x86_multiply_avx512_bf16(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k,
                              float* c, std::int64_t stride, bool add);
// The loop behind bf16_loop of hyperllm/kernels/ceilings.h.
double x86_loop_avx512_bf16(std::int64_t steps, float factor, float summand, std::int64_t* operations);

// Asks Linux for the right to use the tile registers at the first call.
bool x86_has_amx_bf16();
// The calling thread's eight tile registers as 16 rows of 64 bytes, and their return.
void x86_configure_tiles();
void x86_release_tiles();
// A in tiles of 16 x 16 elements, row by row.
void x86_pack_rows_amx(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                       float* packed);
void x86_pack_columns_amx(const float* source, std::int64_t stride, std::int64_t m, std::int64_t k,
                          float* packed);
void x86_multiply_amx(const float* a, const float* b, std::int64_t m, std::int64_t n, std::int64_t k,
                      float* c, std::int64_t stride, bool add);
double x86_loop_amx(std::int64_t steps, float factor, float summand, std::int64_t* operations);

}  // namespace hyperllm::kernels
