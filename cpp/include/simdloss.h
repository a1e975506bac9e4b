/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIMDLOSS_H
#define SIMDLOSS_H

/* The C API of simdloss: every loss of its catalogue, derivatives and mergeable sums, for C99 and
 * for whatever can call C. Experimental until version 1.0 of the library, see SIMDLOSS_API_VERSION.
 *
 * What a loss computes, and what the options of a call mean, is said once, in the C++ headers
 * simdloss/catalog.hpp, evaluate.hpp, gradient.hpp and reduction.hpp. Numbers are the same, bit for
 * bit.
 *
 * [Errors] A function that can fail returns a status and, where `error` is not null, describes what
 * happened there; it writes no result then, but for the arrays of a call, as they say. No C++
 * exception leaves it. Nothing is kept between calls or for a thread. Other functions cannot fail.
 *
 * [Ownership] The library keeps no pointer that it is given. Objects that it makes are freed by
 * their _destroy function, which takes null too; a pointer to one is null after its function
 * failed. Strings that it returns live as long as the library, are not to be freed, and are UTF-8.
 *
 * [Threads] Every function may be called from any thread. A simdloss_loss never changes and may be
 * shared; a simdloss_sums may be read by many threads or changed by one.
 *
 * [Structs] A struct of options begins with its size, as its caller knows it, so that it may gain
 * members. Call its _init function, then set what differs. A member of a later version means the
 * default as long as it is 0; a library that does not know it refuses other values. Structs without
 * a size never change. */

/* NOLINTBEGIN(modernize-*,readability-identifier-naming): this is C. */

#include <stddef.h>
#include <stdint.h>

#include "simdloss/export.h"

/* Major and minor version of this API. A library fits a program if simdloss_api_version() has the
 * same major version as the header that the program was compiled with, and the same or, once the
 * major version is 1, a higher minor one. */
#define SIMDLOSS_API_MAJOR 0
#define SIMDLOSS_API_MINOR 1
#define SIMDLOSS_API_VERSION (SIMDLOSS_API_MAJOR * 0x10000u + SIMDLOSS_API_MINOR)

/* Arrays may have at most this many dimensions. */
#define SIMDLOSS_MAX_RANK 64

#ifdef __cplusplus
#define SIMDLOSS_NOEXCEPT noexcept
extern "C" {
#else
#define SIMDLOSS_NOEXCEPT
#endif

/* ---- Errors ---------------------------------------------------------------------------------- */

typedef int32_t simdloss_status;
enum {
  SIMDLOSS_OK = 0,
  SIMDLOSS_VALUE = 1,         /* a value, shape or option that is not allowed */
  SIMDLOSS_TYPE = 2,          /* a dtype or kind of argument that is not allowed */
  SIMDLOSS_NOT_SUPPORTED = 3, /* something that the loss, or this library, does not have */
  SIMDLOSS_INTERRUPTED = 4,   /* simdloss_request.interrupted returned another number than 0 */
  SIMDLOSS_OUT_OF_MEMORY = 5,
  SIMDLOSS_INTERNAL = 6 /* a bug in the library */
};

/* What went wrong, in the caller's memory: the argument, member or parameter at fault ("y_pred",
 * "delta", "request"; "axis" for the axes), and what was expected, what was received and how to
 * mend it. Both texts end with a zero byte; one that is too long is cut between characters and ends
 * with "...". After success the status is SIMDLOSS_OK and both are empty. */
typedef struct simdloss_error {
  simdloss_status status;
  char argument[60];
  char message[960];
} simdloss_error;

/* "ok", "value", "type", "not_supported", ...; null for other numbers. */
SIMDLOSS_API const char* simdloss_status_name(simdloss_status status) SIMDLOSS_NOEXCEPT;

/* ---- Arrays ---------------------------------------------------------------------------------- */

/* Element types, in the byte order of the machine. A bool is a byte, 0 or 1. */
enum {
  SIMDLOSS_DTYPE_DEFAULT = -1, /* in simdloss_request.dtype only */
  SIMDLOSS_BOOL = 0,
  SIMDLOSS_INT8 = 1,
  SIMDLOSS_INT16 = 2,
  SIMDLOSS_INT32 = 3,
  SIMDLOSS_INT64 = 4,
  SIMDLOSS_UINT8 = 5,
  SIMDLOSS_UINT16 = 6,
  SIMDLOSS_UINT32 = 7,
  SIMDLOSS_UINT64 = 8,
  SIMDLOSS_FLOAT16 = 9,
  SIMDLOSS_BFLOAT16 = 10,
  SIMDLOSS_FLOAT32 = 11,
  SIMDLOSS_FLOAT64 = 12
};

/* NumPy's name of a dtype, "float32", and the size of an element in bytes; null and 0 for numbers
 * that are none. */
SIMDLOSS_API const char* simdloss_dtype_name(int32_t dtype) SIMDLOSS_NOEXCEPT;
SIMDLOSS_API size_t simdloss_dtype_size(int32_t dtype) SIMDLOSS_NOEXCEPT;

/* A borrowed array that is read. Strides are in bytes and may be zero or negative; null strides
 * mean C order. No alignment is assumed. Rank 0 is a scalar, whose shape may be null; data may be
 * null where there are no elements. */
typedef struct simdloss_array {
  const void* data;
  int32_t dtype;
  int32_t rank;
  const int64_t* shape;
  const int64_t* strides;
} simdloss_array;

/* A borrowed array of floating dtype that is written. It must not overlap any that is read; that is
 * not checked. */
typedef struct simdloss_mutable_array {
  void* data;
  int32_t dtype;
  int32_t rank;
  const int64_t* shape;
  const int64_t* strides;
} simdloss_mutable_array;

/* What array a result takes; shape[rank] and what follows are 0. */
typedef struct simdloss_array_type {
  int32_t dtype;
  int32_t rank;
  int64_t shape[SIMDLOSS_MAX_RANK];
} simdloss_array_type;

/* ---- The catalogue --------------------------------------------------------------------------- */

/* What y_true holds: simdloss_loss_info.target. */
enum {
  SIMDLOSS_TARGET_REAL = 0,     /* real numbers */
  SIMDLOSS_TARGET_LABEL = 1,    /* labels or probabilities */
  SIMDLOSS_TARGET_CLASS_ID = 2, /* the class of each row, a whole number of any dtype */
  SIMDLOSS_TARGET_SEQUENCE = 3, /* class ids (batch, labels), for y_pred (batch, time, classes) */
  SIMDLOSS_TARGET_PAIRS = 4     /* the class of each row of y_pred (batch, dimensions) */
};

/* How the elements of a row become a loss: simdloss_loss_info.row_finish. */
enum { SIMDLOSS_ROW_MEAN = 0, SIMDLOSS_ROW_SUM = 1, SIMDLOSS_ROW_WHOLE = 2 };

/* Which axes a row may consist of, any number, exactly one or no choice:
 * simdloss_loss_info.axis_kind. */
enum { SIMDLOSS_AXIS_ANY = 0, SIMDLOSS_AXIS_ONE = 1, SIMDLOSS_AXIS_NONE = 2 };

/* Bits of simdloss_loss_info.flags, named as the members of LossInfo. */
enum {
  SIMDLOSS_HAS_CLASSES = 1,            /* it takes weights of classes */
  SIMDLOSS_NEEDS_ELEMENTS = 2,         /* a row without elements has no loss */
  SIMDLOSS_HAS_HESSIAN = 4,            /* simdloss_value_gradient_and_hessian() takes it */
  SIMDLOSS_CONVERTS_BINARY_LABELS = 8, /* {0, 1} may stand for {-1, 1}, see request.labels */
  SIMDLOSS_LOW_OPEN = 1,               /* of a parameter: low itself is not allowed */
  SIMDLOSS_IS_BOOL = 2                 /* of a parameter: it is 0 or 1 */
};

/* An entry of the catalogue. Later versions may set more bits of flags. */
typedef struct simdloss_loss_info {
  const char* name; /* Keras's; "..._from_logits" where logits change the formula */
  int32_t target;
  int32_t row_finish;
  int32_t axis_kind;
  uint32_t flags;
  int32_t n_params;
  int32_t reserved; /* 0 */
} simdloss_loss_info;

/* A parameter of a loss, a number from low to high, which may be infinite. */
typedef struct simdloss_param_info {
  const char* name;
  double default_value;
  double low;
  double high;
  uint32_t flags;    /* SIMDLOSS_LOW_OPEN, SIMDLOSS_IS_BOOL */
  uint32_t reserved; /* 0 */
} simdloss_param_info;

/* How many losses there are; entry `index` of them; and parameter `param` of that. For bindings
 * that are generated, and for help texts. SIMDLOSS_VALUE if an index is out of range. */
SIMDLOSS_API int32_t simdloss_catalog_size(void) SIMDLOSS_NOEXCEPT;
SIMDLOSS_API simdloss_status simdloss_catalog_entry(int32_t index, simdloss_loss_info* info,
                                                    simdloss_error* error) SIMDLOSS_NOEXCEPT;
SIMDLOSS_API simdloss_status simdloss_catalog_param(int32_t index, int32_t param,
                                                    simdloss_param_info* info,
                                                    simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* ---- Losses ---------------------------------------------------------------------------------- */

/* A loss of the catalogue with its parameters. Immutable. */
typedef struct simdloss_loss simdloss_loss;

typedef struct simdloss_param {
  const char* name;
  double value; /* bools as 0 and 1 */
} simdloss_param;

/* Makes the loss `name`. Parameters that are not among the n_params given have their defaults.
 * class_weight, n_class_weight finite numbers >= 0, multiply what the classes contribute to the
 * loss of a row (SIMDLOSS_HAS_CLASSES only); none: all 1. Calls check that there is one for each
 * class. SIMDLOSS_VALUE for a name of a loss or parameter that does not exist, for a parameter that
 * is given twice, and for numbers out of range. */
SIMDLOSS_API simdloss_status simdloss_loss_create(const char* name, const simdloss_param* params,
                                                  size_t n_params, const double* class_weight,
                                                  size_t n_class_weight, simdloss_loss** loss,
                                                  simdloss_error* error) SIMDLOSS_NOEXCEPT;
SIMDLOSS_API void simdloss_loss_destroy(simdloss_loss* loss) SIMDLOSS_NOEXCEPT;

/* ---- Calls ----------------------------------------------------------------------------------- */

/* How losses of samples become one number. L loss, w weight, n entries. */
enum {
  SIMDLOSS_REDUCTION_NONE = 0, /* they do not */
  SIMDLOSS_REDUCTION_SUM = 1,  /* sum w L */
  SIMDLOSS_REDUCTION_MEAN = 2, /* sum w L / n; a mask changes n to its valid part */
  SIMDLOSS_REDUCTION_MEAN_WITH_SAMPLE_WEIGHT = 3 /* sum w L / sum w, w before broadcasting */
};

/* What a mean over nothing is. */
enum { SIMDLOSS_EMPTY_ZERO = 0, SIMDLOSS_EMPTY_NAN = 1, SIMDLOSS_EMPTY_ERROR = 2 };

/* Whether {0, 1} stand for {-1, 1} (SIMDLOSS_CONVERTS_BINARY_LABELS): if all labels are such, or
 * always, or never. */
enum { SIMDLOSS_LABELS_AUTO = 0, SIMDLOSS_LABELS_BINARY = 1, SIMDLOSS_LABELS_SIGNED = 2 };

/* The axes that a row consists of, whose loss is that of one sample. */
enum {
  SIMDLOSS_AXES_LAST = 0, /* the last one */
  SIMDLOSS_AXES_ALL = 1,  /* all */
  SIMDLOSS_AXES_LIST = 2  /* those listed; of none, every element is a sample */
};

/* Everything about a call that is neither loss nor data: see Request in simdloss/evaluate.hpp. */
typedef struct simdloss_request {
  uint32_t struct_size;
  int32_t reduction;         /* SIMDLOSS_REDUCTION_MEAN */
  int32_t empty;             /* SIMDLOSS_EMPTY_ZERO */
  int32_t labels;            /* SIMDLOSS_LABELS_AUTO */
  int32_t dtype;             /* SIMDLOSS_DTYPE_DEFAULT: y_pred's; default_dtype for integers */
  int32_t default_dtype;     /* SIMDLOSS_FLOAT32 */
  int32_t threads;           /* 1 to 1024; 0: simdloss_num_threads(), or one for little work */
  int32_t axes_kind;         /* SIMDLOSS_AXES_LAST */
  const int64_t* axes;       /* with SIMDLOSS_AXES_LIST; negative ones count from the end */
  size_t n_axes;             /* 0 */
  double epsilon;            /* 1e-7; probabilities are clipped to [epsilon, 1 - epsilon] */
  double scale;              /* with has_scale: what derivatives take for the reduction's factor */
  int64_t ignore_class;      /* with has_ignore_class: rows of this class are outside the mask */
  int32_t has_scale;         /* 0 */
  int32_t has_ignore_class;  /* 0 */
  int (*interrupted)(void*); /* null; polled about every 0.1 s by the calling thread, must return */
  void* interrupted_context; /* what that gets */
} simdloss_request;

/* The arrays of a call; optional ones may be null. Which shapes fit: see Operands in
 * simdloss/evaluate.hpp. */
typedef struct simdloss_operands {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  simdloss_array y_true;
  simdloss_array y_pred;
  const simdloss_array* sample_weight; /* optional: these broadcast to the losses of samples */
  const simdloss_array* mask;
  const simdloss_array* ref_labels; /* optional: of SIMDLOSS_TARGET_PAIRS, what rows are compared */
  const simdloss_array* ref_embeddings; /* with; in place of y_true and y_pred */
} simdloss_operands;

/* Fill in the defaults, those written beside the members. struct_size is the sizeof of the caller's
 * struct, of which no byte beyond it is written. */
SIMDLOSS_API void simdloss_request_init(simdloss_request* request,
                                        size_t struct_size) SIMDLOSS_NOEXCEPT;
SIMDLOSS_API void simdloss_operands_init(simdloss_operands* operands,
                                         size_t struct_size) SIMDLOSS_NOEXCEPT;

/* All functions from here on take a null request for one with the defaults.
 *
 * Dtype and shape of what simdloss_evaluate() writes: one number of rank 0 or, without a reduction,
 * the loss of each sample: y_pred's shape without the axes of a row. Of an empty batch it is as
 * empty, unless request->empty says what its mean is. Finds all that can be wrong before any work,
 * but for shapes of circle and ctc, which calls check. */
SIMDLOSS_API simdloss_status simdloss_result_type(const simdloss_loss* loss,
                                                  const simdloss_operands* operands,
                                                  const simdloss_request* request,
                                                  simdloss_array_type* type,
                                                  simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* The same of derivatives: y_pred's shape and, if that is floating, its dtype. */
SIMDLOSS_API simdloss_status simdloss_gradient_type(const simdloss_loss* loss,
                                                    const simdloss_operands* operands,
                                                    const simdloss_request* request,
                                                    simdloss_array_type* type,
                                                    simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Writes the reduced loss, or the losses of samples, to `out`, which has the shape of
 * simdloss_result_type() and any floating dtype. After an error `out` is untouched unless that was
 * SIMDLOSS_INTERRUPTED, or a class id was out of range: those are found while losses are made. */
SIMDLOSS_API simdloss_status simdloss_evaluate(const simdloss_loss* loss,
                                               const simdloss_operands* operands,
                                               const simdloss_request* request,
                                               const simdloss_mutable_array* out,
                                               simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Writes the derivative of the reduced loss by each element of y_pred to `out`, of y_pred's shape
 * and any floating dtype; without a reduction that of the sum. Errors as of simdloss_evaluate(). */
SIMDLOSS_API simdloss_status simdloss_gradient(const simdloss_loss* loss,
                                               const simdloss_operands* operands,
                                               const simdloss_request* request,
                                               const simdloss_mutable_array* out,
                                               simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Both, in fewer passes. The gradient is written before SIMDLOSS_EMPTY_ERROR finds that the mean is
 * over nothing. */
SIMDLOSS_API simdloss_status simdloss_value_and_gradient(const simdloss_loss* loss,
                                                         const simdloss_operands* operands,
                                                         const simdloss_request* request,
                                                         const simdloss_mutable_array* value,
                                                         const simdloss_mutable_array* gradient,
                                                         simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* What is given for the Hessian: its diagonal, or a diagonal matrix that is nowhere below it. */
enum { SIMDLOSS_CURVATURE_DIAGONAL = 0, SIMDLOSS_CURVATURE_UPPER_BOUND = 1 };

/* The same with second derivatives, of y_pred's shape too. SIMDLOSS_NOT_SUPPORTED for losses
 * without SIMDLOSS_HAS_HESSIAN. */
SIMDLOSS_API simdloss_status simdloss_value_gradient_and_hessian(
    const simdloss_loss* loss, const simdloss_operands* operands, const simdloss_request* request,
    int32_t curvature, const simdloss_mutable_array* value, const simdloss_mutable_array* gradient,
    const simdloss_mutable_array* hessian, simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Writes to `out`, of y_pred's shape, the gradient of sum(cotangent * losses of samples): the
 * product of `cotangent`, which broadcasts to the losses, and their Jacobian by y_pred. The
 * operands have neither weights nor a mask; reduction and scale make no difference. */
SIMDLOSS_API simdloss_status simdloss_vjp(const simdloss_loss* loss,
                                          const simdloss_operands* operands,
                                          const simdloss_array* cotangent,
                                          const simdloss_request* request,
                                          const simdloss_mutable_array* out,
                                          simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* ---- Sums of parts of a batch ---------------------------------------------------------------- */

/* What parts of a batch contribute to its reduced loss: exact sums and counts, see PartialSums in
 * simdloss/reduction.hpp. Any split into parts, in any order, gives the same bytes and the same
 * value: that of one call of simdloss_evaluate() on all samples. A function that fails leaves a
 * simdloss_sums as it was. */
typedef struct simdloss_sums simdloss_sums;

typedef struct simdloss_sums_info {
  uint64_t count;       /* entries of the loss, after broadcasting with the weights */
  uint64_t valid_count; /* those not skipped: weight 0, mask false, class ignored */
  double weight_sum;    /* sum of weights times mask, before broadcasting; count without either. A
                         * class that is ignored is outside the mask */
  int32_t reduction;
  int32_t dtype; /* of the value */
} simdloss_sums_info;

/* Makes the sums of nothing, which merge with any others. */
SIMDLOSS_API simdloss_status simdloss_sums_create(simdloss_sums** sums,
                                                  simdloss_error* error) SIMDLOSS_NOEXCEPT;
SIMDLOSS_API void simdloss_sums_destroy(simdloss_sums* sums) SIMDLOSS_NOEXCEPT;

/* Adds a part of the batch. SIMDLOSS_VALUE without a reduction, and if what was added before had
 * another loss, parameter, axis, epsilon, dtype, reduction, ignore_class or labels. Parts add up to
 * the whole where they are cut along an axis of samples, one that no row reaches along; means by
 * weights need a weight for each sample; losses of SIMDLOSS_TARGET_PAIRS compare the samples of one
 * part only. */
SIMDLOSS_API simdloss_status simdloss_sums_add(simdloss_sums* sums, const simdloss_loss* loss,
                                               const simdloss_operands* operands,
                                               const simdloss_request* request,
                                               simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Adds other sums, under the same condition. */
SIMDLOSS_API simdloss_status simdloss_sums_merge(simdloss_sums* sums, const simdloss_sums* other,
                                                 simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* The reduced loss, rounded once to its dtype; `empty` is one of SIMDLOSS_EMPTY_. */
SIMDLOSS_API simdloss_status simdloss_sums_finalize(const simdloss_sums* sums, int32_t empty,
                                                    double* value,
                                                    simdloss_error* error) SIMDLOSS_NOEXCEPT;

SIMDLOSS_API simdloss_status simdloss_sums_get_info(const simdloss_sums* sums,
                                                    simdloss_sums_info* info,
                                                    simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Writes the sums to buffer[0, *size) in a format of fixed size that all machines read; equal sums
 * have equal bytes. *size is set whatever the buffer, with a null one nothing else; SIMDLOSS_VALUE
 * if `capacity` is less. */
SIMDLOSS_API simdloss_status simdloss_sums_to_bytes(const simdloss_sums* sums, void* buffer,
                                                    size_t capacity, size_t* size,
                                                    simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Makes sums of such bytes. SIMDLOSS_VALUE unless length and header are right and the members
 * agree; there is no checksum. */
SIMDLOSS_API simdloss_status simdloss_sums_from_bytes(const void* bytes, size_t n_bytes,
                                                      simdloss_sums** sums,
                                                      simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* ---- The library and the process ------------------------------------------------------------- */

/* SIMDLOSS_API_VERSION of the library that runs. */
SIMDLOSS_API uint32_t simdloss_api_version(void) SIMDLOSS_NOEXCEPT;

/* Version, compiler and flags of the library, for bug reports; openmp is "4.5 (201511)" or "off".
 * */
typedef struct simdloss_build {
  const char* version;
  const char* compiler;
  const char* flags;
  const char* openmp;
} simdloss_build;
SIMDLOSS_API void simdloss_build_info(simdloss_build* info) SIMDLOSS_NOEXCEPT;

/* The instruction sets that can run here, best first; null behind the last one. */
SIMDLOSS_API const char* simdloss_available_isa(int32_t index) SIMDLOSS_NOEXCEPT;

/* What calls use, and why: "detected", "forced" or "SIMDLOSS_ISA", the environment variable.
 * `reason` may be null. SIMDLOSS_VALUE while that variable names what cannot run here. */
SIMDLOSS_API simdloss_status simdloss_active_isa(const char** name, const char** reason,
                                                 simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Makes all calls of the process use `isa`; null returns to the default. */
SIMDLOSS_API simdloss_status simdloss_force_isa(const char* isa,
                                                simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Threads that a large call uses, and where the number comes from: see num_threads_reason() in
 * simdloss/runtime.hpp. `reason` may be null. */
SIMDLOSS_API simdloss_status simdloss_num_threads(int32_t* n, const char** reason,
                                                  simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Sets that for the process, from 1 to 1024; 0 returns to the default. */
SIMDLOSS_API simdloss_status simdloss_set_num_threads(int32_t n,
                                                      simdloss_error* error) SIMDLOSS_NOEXCEPT;

/* Threads that the last call of the calling thread ran on; 0 before its first one. */
SIMDLOSS_API int32_t simdloss_last_num_threads(void) SIMDLOSS_NOEXCEPT;

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-*,readability-identifier-naming) */

#endif
