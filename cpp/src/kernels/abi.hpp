// SPDX-License-Identifier: Apache-2.0
#pragma once

// The seam between code compiled for one instruction set and the rest of the library: POD structs
// of noexcept function pointers.
//
// [One exported symbol per ISA] Each object under isa/ defines one function with external linkage,
// its table getter. Everything else in it is templated on the ISA tag or local to the object, and
// nothing from std is instantiated there; otherwise the linker could keep, say, the AVX-512 copy of
// an inline function for the whole program.

#include <cstdint>

#include "simdloss/runtime.hpp"

namespace simdloss {

struct SampleSum;

// [Lane order is the contract] The sum over a row is made in an order that depends on nothing but
// the row's length, so every width of vector gives the same bits. A row is dealt to kLanes<T>
// virtual lanes (128 bytes of T), element j to lane j mod kLanes. A lane adds up its elements in
// order and wider than T: floats, two by two in float first, in a double; doubles in an unevaluated
// pair hi + lo of doubles. At the end a halving tree adds the lanes.
inline constexpr int kLaneBytes = 128;
template <class T>
inline constexpr int kLanes = kLaneBytes / static_cast<int>(sizeof(T));

// Elements whose losses a kernel makes before it adds them up: enough rows for the cost of a pass,
// little enough for the L1 cache.
template <class T>
inline constexpr int kTile = 16 * kLanes<T>;

// The most rows that go through the stages of a loss together: see [Row losses].
inline constexpr int kRowGroup = 32;

// Accumulators of one row. float: 32 sums. double: 16 hi, then 16 lo.
struct alignas(64) LaneSums {
  double values[32];
};

// The sum of a row or of a segment of one: hi + lo with |lo| <= ulp(hi) / 2 (lo = 0 for float).
struct RowSum {
  double hi;
  double lo;
};

// Whether t and p are in half precision and not of type T. See LossKernels::reads_halves.
enum class Halves { kNone, kFloat16, kBFloat16 };

// `n_rows` rows of `n_cols` elements; the elements of a row are contiguous, rows are `stride` bytes
// apart. Or, with a col_stride other than 0, rows are one element apart and the elements of a row
// that many bytes: see LossKernels::most_columns. No alignment is assumed. Where y_true holds class
// ids, t is the row's prediction for its class: adjacent, t_stride means nothing.
struct RowBlock {
  const void* t;
  const void* p;
  std::int64_t t_stride;
  std::int64_t p_stride;
  std::int64_t n_rows;
  std::int64_t n_cols;
  const void* class_weights = nullptr;    // n_cols of type T; null: all 1
  const double* label_weights = nullptr;  // of the class of each row; null: all 1
  Halves halves = Halves::kNone;
  std::int64_t t_col_stride = 0;
  std::int64_t p_col_stride = 0;
  std::int64_t p_next = 0;  // bytes from a row of p to what is read after all these; 0: unknown
};

// What a row is looked at for, in this order: see [Row losses]. kSlopeTerms takes the place of kTerms
// where derivatives are wanted, and makes the sums of both.
enum Stage : int { kMax, kFirst, kTerms, kSlopeTerms, kStages };

// What is known of one row.
struct RowFacts {
  double max;
  double ties;
  double label;
  double label_weight;
  double base;
  double power;
  double a;
  double b;
  double c;
  double d;
};

// What the derivatives by the elements of one row have in common.
struct RowSlopes {
  double values[7];
};

// Where the derivatives of the rows of a RowBlock go, and what rows count: each is multiplied by its
// scale.
struct RowDerivatives {
  void* gradient;        // rows of n_cols elements of T
  void* hessian;         // likewise, if it is asked for
  std::int64_t stride;   // bytes from row to row, in both
  const double* scales;  // one a row; null: all are `scale`
  double scale;
  const std::int64_t* class_ids;  // where y_true holds them
  bool upper_bound;               // see Curvature
  bool streams;                   // the gradient is worth it, see [Streams]
  std::int64_t col_stride;        // in both, see RowBlock
};

// What one stage makes of a row or of a segment of one.
inline constexpr int kMaxLaneSums = 3;
struct RowState {
  double max;   // -inf before the first element
  double ties;  // how many elements equal facts.max, from the stage after kMax
  LaneSums sums[kMaxLaneSums];
};

// n elements of a row. t is null where y_true holds class ids, class_weights where all are 1.
struct RowPart {
  const void* t;
  const void* p;
  const void* class_weights;
  std::int64_t n;
  Halves halves = Halves::kNone;
};

// One loss in one computation type T. `args` points to the loss's Args<T>.
struct LossKernels {
  // Which stages there are.
  bool stages[kStages];
  // Whether row_losses() and accumulate() take halves; nothing else does.
  bool reads_halves;
  // The longest rows that may come with a col_stride.
  std::int64_t most_columns;
  // losses[i] (type T) = the loss of row i, never -0; divided by `divisor` if it is a mean.
  void (*row_losses)(const RowBlock& rows, double divisor, const void* args, void* losses) noexcept;
  // A row that comes in parts: each stage sees all of them, each of 2 k kLanes<T> elements but the
  // last, beginning with a `state` of max = -inf and zeros, and leads to the sums of collect().
  void (*accumulate)(Stage stage, const RowPart& part, const RowFacts& facts, const void* args,
                     RowState& state) noexcept;
  RowSum (*collect)(const LaneSums& lanes) noexcept;
  // After kMax, with null sums, and after kFirst: adds to the facts what is known now.
  void (*prepare)(const RowSum* sums, const void* args, RowFacts& facts) noexcept;
  // After the last stage.
  double (*finish)(const RowSum* sums, const RowFacts& facts, double divisor,
                   const void* args) noexcept;

  // As row_losses() and, with the same bits, losses if they are not null, with derivatives: False
  // if one of these is not finite. What is written then, and for rows of scale 0, means nothing.
  bool (*row_gradients)(const RowBlock& rows, double divisor, const void* args,
                        const RowDerivatives& to, void* losses) noexcept;
  bool (*row_hessians)(const RowBlock& rows, double divisor, const void* args,
                       const RowDerivatives& to, void* losses) noexcept;
  // The same for rows in parts, whose stages are those of derivatives: see accumulate(). First what
  // the derivatives of the row have in common, then each part by itself, n elements of it.
  RowSlopes (*slopes)(const RowSum* sums, const RowFacts& facts, double scale, double divisor,
                      const void* args) noexcept;
  bool (*part_gradients)(const RowPart& part, const RowFacts& facts, const RowSlopes& slopes,
                         const void* args, const RowDerivatives& to) noexcept;
  // Those by the element at the class of the row, gradient and second derivative.
  void (*label_gradients)(const RowFacts& facts, const RowSlopes& slopes, const void* args,
                          bool upper_bound, double* to) noexcept;

  // Those to use instead where `cheap_suits` says so of args, if there are any: see [Cheap cases].
  const LossKernels* cheap = nullptr;
  bool (*cheap_suits)(const void* args) noexcept = nullptr;
};

// Kernels in one computation type T.
struct TypeKernels {
  const LossKernels* losses;  // by LossInfo::index
  bool (*all_finite)(const void* values, std::int64_t n) noexcept;
  // Whether all are 0 or 1.
  bool (*all_binary)(const void* values, std::int64_t n) noexcept;
  // Adds weight times loss of n samples to a sum; see [Sample sum]. Null weights are all 1.
  void (*add_samples)(const void* losses, const double* weights, std::int64_t n,
                      SampleSum& sum) noexcept;
  // Converts n contiguous elements of storage type DType(i) to T.
  void (*const* load)(const void* source, std::int64_t n, void* target) noexcept;
  // The reverse, rounded once; by DType too, null for bool and integers.
  void (*const* store)(const void* source, std::int64_t n, void* target) noexcept;
  // rows[i pitch + j] = element i of column j, of n_cols columns of n_rows contiguous elements of T,
  // `stride` bytes apart.
  void (*gather_columns)(const void* columns, std::int64_t stride, std::int64_t n_rows,
                         std::int64_t n_cols, std::int64_t pitch, void* rows) noexcept;
  // The reverse.
  void (*scatter_columns)(const void* rows, std::int64_t pitch, std::int64_t n_rows,
                          std::int64_t n_cols, std::int64_t stride, void* columns) noexcept;
};

// Numbers (hi + lo) 2^exponent, as three arrays: see [Scaled numbers].
struct ScaledArray {
  double* hi;
  double* lo;
  double* exponent;
};

// One time step of the sum over alignments. Arrays can be read from one element before what is
// asked for to 8 after it, and written to 8 after it.
struct AlignmentStep {
  ScaledArray from_blank;  // the time step before
  ScaledArray from_label;
  ScaledArray to_blank;
  ScaledArray to_label;
  const double* logits;    // of the labels
  const double* may_skip;  // 1 where a label differs from the one before, else 0
  double blank_logit;
  double max;  // of the logits of all classes
};

// For the derivatives: forward variables of a time step, the sum over all alignments
// (total.hi + total.lo) 2^exponent, and where to put what part of it each state has.
struct AlignmentShares {
  ScaledArray blank;
  ScaledArray label;
  RowSum total;
  double exponent;
  double* of_blank;
  double* of_label;
};

// Integers of 65 bits: value = high 2^32 + low with 0 <= low < 2^32.
struct IdArrays {
  const double* high;
  const double* low;
};

// One sum of [Scaled numbers] in kLanes<double> lanes.
struct alignas(64) ScaledLanes {
  double hi[kLanes<double>];
  double lo[kLanes<double>];
  double exponent[kLanes<double>];
};

// Of one query: over the references of its class, and over all others.
struct PairSums {
  ScaledLanes positive;
  ScaledLanes negative;
};

// Queries are read in groups of that many rows.
inline constexpr std::int64_t kPairRows = 8;

// Queries and at most kLanes<double> references, all of whose pairs are looked at.
struct PairBlock {
  const double* queries;  // rows of `dims`; as many as n_queries rounded up to kPairRows
  const double* panel;    // `dims` times component k of all kLanes<double> references
  std::int64_t dims;
  std::int64_t n_queries;
  std::int64_t n_references;
  IdArrays query_ids;
  IdArrays reference_ids;  // kLanes<double> of them
  const double* self;      // for each query, the place in the panel that is no pair; or -1
  double gamma;
  double margin;
};

// Of queries: what a derivative is multiplied by, and the CircleStatistics.
struct PairFactors {
  const double* scale;
  const double* positive;
  const double* positive_exponent;
  const double* negative;
  const double* negative_exponent;
};

// For derivatives of the pairs of a block: factors of its queries and, if the references are
// queries too, of those, with the ids that both sides have in the other role.
struct PairRoles {
  PairFactors of_queries;
  PairFactors of_references;  // kLanes<double> of them; nulls if there are none
  IdArrays query_ids;
  IdArrays reference_ids;
};

// Rows of components are that many doubles, or a multiple, apart.
inline constexpr std::int64_t kPairPitch = 8;

// Sums (hi + lo), for each query, of the references times one number each.
struct ReferenceSums {
  const double* numbers;     // kLanes<double> for each query
  const double* references;  // rows of `pitch` doubles, as hi and lo
  std::int64_t pitch;
  std::int64_t n_queries;
  std::int64_t n_references;
  double* hi;
  double* lo;
};

// Kernels of the losses that are no reduction over a row, in double.
struct SpecialKernels {
  // The largest of `start` and n numbers; NaN is ignored.
  double (*maximum)(const double* x, std::int64_t n, double start) noexcept;
  // Adds e^(x[i] - max), 1 where x[i] = max, to lanes; n as in LossKernels::accumulate.
  void (*add_exps)(const double* x, std::int64_t n, double max, LaneSums& lanes) noexcept;
  RowSum (*collect)(const LaneSums& lanes) noexcept;
  // x[i] + rest[i] = ln(1 + x[i]) to half an ULP, not rounded, for finite x[i] > -1; NaN stays.
  void (*log1p)(double* x, double* rest, std::int64_t n) noexcept;
  // Blanks and labels [begin, end) of the next time step.
  void (*advance)(const AlignmentStep& step, std::int64_t begin, std::int64_t end) noexcept;
  // The same numbers with 1 <= hi < 2. To be called before hi grows beyond 2^600: advance()
  // multiplies it by less than 6.
  void (*normalize)(const ScaledArray& x, std::int64_t begin, std::int64_t end) noexcept;
  // The same as advance() with factors that are pairs: see ScaledExpPair.
  void (*advance_pairs)(const AlignmentStep& step, std::int64_t begin, std::int64_t end) noexcept;
  // The step back: to_... are the sums over what can follow from a state on, its own factor
  // included. Needs elements before and after arrays as AlignmentStep says, may_skip from
  // begin + 1 to 8 after its end.
  void (*retreat)(const AlignmentStep& step, const AlignmentShares& shares, std::int64_t begin,
                  std::int64_t end) noexcept;
  RowSum (*sum)(const double* x, std::int64_t n) noexcept;
  // x[i] + rest[i] = e^(x[i] - max), 1 where x[i] = max; returns their sum.
  RowSum (*exp_pairs)(double* x, double* rest, std::int64_t n, double max) noexcept;
  // x[i] = (x[i] + rest[i]) / divisor, rounded once.
  void (*divide_pairs)(double* x, const double* rest, std::int64_t n, RowSum divisor) noexcept;
  // Adds the pairs of a block to the sums of its queries.
  void (*add_pairs)(const PairBlock& block, PairSums* sums) noexcept;
  // losses[i] = ln(1 + positive sum times negative sum), 0 if one of them is empty. Leaves the sums
  // in lane 0 of `sums`.
  void (*finish_pairs)(PairSums* sums, std::int64_t n, double* losses) noexcept;
  // derivatives[i kLanes<double> + j] = of all losses by the similarity of query i and reference j,
  // in both roles.
  void (*differentiate_pairs)(const PairBlock& block, const PairRoles& roles,
                              double* derivatives) noexcept;
  void (*add_references)(const ReferenceSums& sums) noexcept;
};

struct KernelTable {
  Isa isa;
  TypeKernels f32;
  TypeKernels f64;
  SpecialKernels special;
  // To be called before other threads read what was streamed.
  void (*end_streams)() noexcept;
};

// The getters; each is defined in the object of that name. Which ones are linked in
// depends on the target architecture.
const KernelTable& scalar_kernels() noexcept;
const KernelTable& baseline_kernels() noexcept;
const KernelTable& avx2_kernels() noexcept;
const KernelTable& avx512_kernels() noexcept;
const KernelTable& neon_kernels() noexcept;

}  // namespace simdloss
