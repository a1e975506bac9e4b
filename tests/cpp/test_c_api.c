/* SPDX-License-Identifier: Apache-2.0 */
/* simdloss.h from C99. tests/python/test_c_api.py compares the numbers of every loss with those of
 * the Python package, and test_c_api_errors.py looks at all that is refused. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simdloss.h"

static int n_failed = 0;

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
      ++n_failed;                                                              \
    }                                                                          \
  } while (0)

/* Checks that a call fails with this status, argument and part of the message. */
#define CHECK_FAILS(call, expected, at, part)                                             \
  do {                                                                                    \
    simdloss_error error;                                                                 \
    memset(&error, 'x', sizeof error);                                                    \
    const simdloss_status got = (call);                                                   \
    if (got != (expected) || error.status != got || strcmp(error.argument, (at)) != 0 ||  \
        strstr(error.message, (part)) == NULL) {                                          \
      fprintf(stderr, "%s:%d: %s: status %d, %.60s: %.960s\n", __FILE__, __LINE__, #call, \
              (int)got, error.argument, error.message);                                   \
      ++n_failed;                                                                         \
    }                                                                                     \
  } while (0)

/* Checks that a call succeeds; the rest would be of no use if it did not. */
#define REQUIRE_OK(call)                                                                     \
  do {                                                                                       \
    simdloss_error error;                                                                    \
    memset(&error, 'x', sizeof error);                                                       \
    if ((call) != SIMDLOSS_OK || error.status != SIMDLOSS_OK || error.argument[0] != '\0' || \
        error.message[0] != '\0') {                                                          \
      fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, error.argument,      \
              error.message);                                                                \
      exit(EXIT_FAILURE);                                                                    \
    }                                                                                        \
  } while (0)

static const float labels[] = {0, 1, 2, 3};
static const float predictions[] = {0, 2, 4, 7};
static const int64_t two_by_two[] = {2, 2};

/* Two rows of two numbers: their mean squared errors are 0.5 and 10. */
static simdloss_operands small_batch(void) {
  const simdloss_array y_true = {labels, SIMDLOSS_FLOAT32, 2, two_by_two, NULL};
  const simdloss_array y_pred = {predictions, SIMDLOSS_FLOAT32, 2, two_by_two, NULL};
  simdloss_operands operands;
  simdloss_operands_init(&operands, sizeof operands);
  operands.y_true = y_true;
  operands.y_pred = y_pred;
  return operands;
}

static simdloss_request request_of(int32_t reduction) {
  simdloss_request request;
  simdloss_request_init(&request, sizeof request);
  request.reduction = reduction;
  return request;
}

static simdloss_loss* loss_of(const char* name) {
  simdloss_loss* loss = NULL;
  REQUIRE_OK(simdloss_loss_create(name, NULL, 0, NULL, 0, &loss, &error));
  return loss;
}

static simdloss_mutable_array scalar(float* to) {
  const simdloss_mutable_array array = {to, SIMDLOSS_FLOAT32, 0, NULL, NULL};
  return array;
}

static simdloss_mutable_array matrix(float* to) {
  const simdloss_mutable_array array = {to, SIMDLOSS_FLOAT32, 2, two_by_two, NULL};
  return array;
}

static int equal(const float* a, const float* b, size_t n) {
  return memcmp(a, b, n * sizeof *a) == 0;
}

static void test_versions_and_names(void) {
  simdloss_build build;
  CHECK(simdloss_api_version() == SIMDLOSS_API_VERSION);
  CHECK(SIMDLOSS_API_VERSION == 1);
  simdloss_build_info(&build);
  CHECK(build.version[0] != '\0' && build.compiler[0] != '\0');
  CHECK(build.flags[0] != '\0' && build.openmp[0] != '\0');
  CHECK(strcmp(simdloss_status_name(SIMDLOSS_OK), "ok") == 0);
  CHECK(strcmp(simdloss_status_name(SIMDLOSS_INTERNAL), "internal") == 0);
  CHECK(simdloss_status_name(-1) == NULL && simdloss_status_name(7) == NULL);
  CHECK(strcmp(simdloss_dtype_name(SIMDLOSS_BFLOAT16), "bfloat16") == 0);
  CHECK(simdloss_dtype_name(SIMDLOSS_DTYPE_DEFAULT) == NULL && simdloss_dtype_name(13) == NULL);
  CHECK(simdloss_dtype_size(SIMDLOSS_BOOL) == 1 && simdloss_dtype_size(SIMDLOSS_FLOAT64) == 8);
  CHECK(simdloss_dtype_size(-1) == 0 && simdloss_dtype_size(13) == 0);
}

/* What programs that were compiled before rely on. */
static void test_layouts(void) {
  CHECK(sizeof(simdloss_error) == 1024 && offsetof(simdloss_error, message) == 64);
  CHECK(sizeof(simdloss_array) == 32 && sizeof(simdloss_mutable_array) == 32);
  CHECK(sizeof(simdloss_array_type) == 520);
  CHECK(sizeof(simdloss_loss_info) == 32 && sizeof(simdloss_param_info) == 40);
  CHECK(sizeof(simdloss_request) == 96 && offsetof(simdloss_request, interrupted) == 80);
  CHECK(sizeof(simdloss_operands) == 104 && offsetof(simdloss_operands, y_pred) == 40);
  CHECK(sizeof(simdloss_sums_info) == 32 && sizeof(simdloss_build) == 32);
}

static void test_catalogue(void) {
  int n_huber = 0;
  const int32_t n = simdloss_catalog_size();
  simdloss_loss_info info = {0};
  simdloss_param_info param;
  CHECK(n > 20);
  for (int32_t i = 0; i < n; ++i) {
    REQUIRE_OK(simdloss_catalog_entry(i, &info, &error));
    simdloss_loss_destroy(loss_of(info.name));
    if (strcmp(info.name, "huber") != 0) continue;
    ++n_huber;
    CHECK(info.target == SIMDLOSS_TARGET_REAL && info.row_finish == SIMDLOSS_ROW_MEAN);
    CHECK(info.axis_kind == SIMDLOSS_AXIS_ANY && info.flags == SIMDLOSS_HAS_HESSIAN);
    CHECK(info.n_params == 1);
    REQUIRE_OK(simdloss_catalog_param(i, 0, &param, &error));
    CHECK(strcmp(param.name, "delta") == 0);
    CHECK(param.default_value == 1 && param.low == 0 && param.high > DBL_MAX);
    CHECK_FAILS(simdloss_catalog_param(i, 1, &param, &error), SIMDLOSS_VALUE, "param", "[0, 1)");
  }
  CHECK(n_huber == 1);
  CHECK_FAILS(simdloss_catalog_entry(-1, &info, &error), SIMDLOSS_VALUE, "index", "-1");
  CHECK_FAILS(simdloss_catalog_entry(0, NULL, &error), SIMDLOSS_VALUE, "info", "null");
}

static simdloss_status create(const char* name, const simdloss_param* params, size_t n_params,
                              const double* weights, size_t n_weights, simdloss_error* error) {
  static char anything;
  simdloss_loss* loss = (simdloss_loss*)(void*)&anything;
  const simdloss_status status =
      simdloss_loss_create(name, params, n_params, weights, n_weights, &loss, error);
  if (status != SIMDLOSS_OK) CHECK(loss == NULL);
  simdloss_loss_destroy(loss);
  return status;
}

static void test_creation(void) {
  const simdloss_param unknown = {"detla", 1}, bad = {"delta", -1};
  const simdloss_param twice[] = {{"delta", 1}, {"delta", 2}}, unnamed = {NULL, 0};
  const double weights[] = {1, 2}, negative[] = {-1};
  const char* const classes = "categorical_crossentropy";
  CHECK_FAILS(create("hubert", NULL, 0, NULL, 0, &error), SIMDLOSS_VALUE, "name", "'hubert'");
  CHECK_FAILS(create(NULL, NULL, 0, NULL, 0, &error), SIMDLOSS_VALUE, "name", "null");
  CHECK_FAILS(create("huber", &unknown, 1, NULL, 0, &error), SIMDLOSS_VALUE, "detla",
              "delta; received 'detla'");
  CHECK_FAILS(create("poisson", &bad, 1, NULL, 0, &error), SIMDLOSS_VALUE, "delta",
              "no parameters");
  CHECK_FAILS(create("huber", &bad, 1, NULL, 0, &error), SIMDLOSS_VALUE, "delta", "received -1");
  CHECK_FAILS(create("huber", twice, 2, NULL, 0, &error), SIMDLOSS_VALUE, "delta", "once");
  CHECK_FAILS(create("huber", &unnamed, 1, NULL, 0, &error), SIMDLOSS_VALUE, "params", "null");
  CHECK_FAILS(create("huber", NULL, 1, NULL, 0, &error), SIMDLOSS_VALUE, "params", "null");
  CHECK_FAILS(create("huber", NULL, 0, weights, 2, &error), SIMDLOSS_VALUE, "class_weight",
              "no classes");
  CHECK_FAILS(create(classes, NULL, 0, negative, 1, &error), SIMDLOSS_VALUE, "class_weight",
              "received -1");
  CHECK_FAILS(create(classes, NULL, 0, NULL, 1, &error), SIMDLOSS_VALUE, "class_weight", "null");
  CHECK_FAILS(simdloss_loss_create(classes, NULL, 0, NULL, 0, NULL, &error), SIMDLOSS_VALUE, "loss",
              "null");
  CHECK(create(classes, NULL, 0, weights, 2, NULL) == SIMDLOSS_OK);
}

/* Names of three bytes a character: wherever the limit lies, none is cut in two. */
static void test_long_messages(void) {
  for (size_t shift = 0; shift < 3; ++shift) {
    char name[3003] = "--";
    simdloss_loss* loss = NULL;
    simdloss_error error;
    for (size_t i = shift; i + 3 < sizeof name; i += 3) memcpy(name + i, "\xE2\x82\xAC", 4);
    CHECK(simdloss_loss_create(name, NULL, 0, NULL, 0, &loss, &error) == SIMDLOSS_VALUE);
    const size_t n = strlen(error.message);
    CHECK(n >= sizeof error.message - 3 && n < sizeof error.message);
    CHECK(strcmp(error.message + n - 6, "\xE2\x82\xAC...") == 0);
  }
}

static void test_values(void) {
  simdloss_loss* const loss = loss_of("mean_squared_error");
  const simdloss_operands operands = small_batch();
  const simdloss_request none = request_of(SIMDLOSS_REDUCTION_NONE);
  const int64_t axes[] = {0};
  const int64_t two[] = {2};
  simdloss_request columns = none;
  simdloss_array_type type;
  float value = -1, losses[4] = {-1, -1, -1, -1};
  simdloss_mutable_array out = {losses, SIMDLOSS_FLOAT32, 1, two, NULL};
  const simdloss_mutable_array to_value = scalar(&value), to_all = matrix(losses);

  REQUIRE_OK(simdloss_result_type(loss, &operands, NULL, &type, &error));
  CHECK(type.dtype == SIMDLOSS_FLOAT32 && type.rank == 0 && type.shape[0] == 0);
  REQUIRE_OK(simdloss_evaluate(loss, &operands, NULL, &to_value, &error));
  CHECK(value == 5.25F);

  REQUIRE_OK(simdloss_result_type(loss, &operands, &none, &type, &error));
  CHECK(type.rank == 1 && type.shape[0] == 2 && type.shape[1] == 0);
  REQUIRE_OK(simdloss_evaluate(loss, &operands, &none, &out, &error));
  CHECK(losses[0] == 0.5F && losses[1] == 10);

  columns.axes_kind = SIMDLOSS_AXES_LIST;
  columns.axes = axes;
  columns.n_axes = 1;
  REQUIRE_OK(simdloss_evaluate(loss, &operands, &columns, &out, &error));
  CHECK(losses[0] == 2 && losses[1] == 8.5F);
  columns.n_axes = 0;
  REQUIRE_OK(simdloss_evaluate(loss, &operands, &columns, &to_all, &error));
  CHECK(losses[0] == 0 && losses[1] == 1 && losses[2] == 4 && losses[3] == 16);
  columns.axes_kind = SIMDLOSS_AXES_ALL;
  REQUIRE_OK(simdloss_evaluate(loss, &operands, &columns, &to_value, &error));
  CHECK(value == 5.25F);
  simdloss_loss_destroy(loss);
}

static void test_derivatives(void) {
  simdloss_loss* const loss = loss_of("mean_squared_error");
  simdloss_loss* const dice = loss_of("dice");
  const simdloss_operands operands = small_batch();
  const double cotangents[] = {1, 10};
  const int64_t two[] = {2};
  const simdloss_array cotangent = {cotangents, SIMDLOSS_FLOAT64, 1, two, NULL};
  const float expected[] = {0, 0.5F, 1, 2}, expected_products[] = {0, 1, 20, 40};
  const float curvatures[] = {0.5F, 0.5F, 0.5F, 0.5F};
  simdloss_array_type type;
  float v = -1, g[4], h[4];
  const simdloss_mutable_array value = scalar(&v), gradient = matrix(g), hessian = matrix(h);

  REQUIRE_OK(simdloss_gradient_type(loss, &operands, NULL, &type, &error));
  CHECK(type.dtype == SIMDLOSS_FLOAT32 && type.rank == 2);
  CHECK(type.shape[0] == 2 && type.shape[1] == 2);
  REQUIRE_OK(simdloss_gradient(loss, &operands, NULL, &gradient, &error));
  CHECK(equal(g, expected, 4));
  memset(g, 0, sizeof g);
  REQUIRE_OK(simdloss_value_and_gradient(loss, &operands, NULL, &value, &gradient, &error));
  CHECK(v == 5.25F && equal(g, expected, 4));
  v = -1;
  memset(g, 0, sizeof g);
  REQUIRE_OK(simdloss_value_gradient_and_hessian(loss, &operands, NULL, SIMDLOSS_CURVATURE_DIAGONAL,
                                                 &value, &gradient, &hessian, &error));
  CHECK(v == 5.25F && equal(g, expected, 4) && equal(h, curvatures, 4));
  REQUIRE_OK(simdloss_vjp(loss, &operands, &cotangent, NULL, &gradient, &error));
  CHECK(equal(g, expected_products, 4));

  CHECK_FAILS(simdloss_value_gradient_and_hessian(dice, &operands, NULL, 0, &value, &gradient,
                                                  &hessian, &error),
              SIMDLOSS_NOT_SUPPORTED, "loss", "dice");
  CHECK_FAILS(simdloss_value_gradient_and_hessian(loss, &operands, NULL, 2, &value, &gradient,
                                                  &hessian, &error),
              SIMDLOSS_VALUE, "curvature", "received 2");
  CHECK_FAILS(simdloss_gradient(loss, &operands, NULL, &value, &error), SIMDLOSS_VALUE, "out",
              "(2, 2)");
  simdloss_loss_destroy(loss);
  simdloss_loss_destroy(dice);
}

/* The first and the second row of the batch. */
static simdloss_operands row(int64_t i, const int64_t* shape) {
  simdloss_operands operands = small_batch();
  operands.y_true.data = labels + 2 * i;
  operands.y_pred.data = predictions + 2 * i;
  operands.y_true.shape = operands.y_pred.shape = shape;
  return operands;
}

static void test_sums(void) {
  const int64_t one_by_two[] = {1, 2};
  simdloss_loss* const loss = loss_of("mean_squared_error");
  simdloss_loss* const other_loss = loss_of("log_cosh");
  const simdloss_operands whole = small_batch();
  const simdloss_request none = request_of(SIMDLOSS_REDUCTION_NONE);
  simdloss_sums *sums = NULL, *expected = NULL, *copy = NULL;
  simdloss_sums_info info;
  unsigned char *bytes, *expected_bytes;
  double value = -1;
  size_t size = 0, n = 0;

  REQUIRE_OK(simdloss_sums_create(&sums, &error));
  REQUIRE_OK(simdloss_sums_create(&expected, &error));
  REQUIRE_OK(simdloss_sums_finalize(sums, SIMDLOSS_EMPTY_ZERO, &value, &error));
  CHECK(value == 0);
  CHECK_FAILS(simdloss_sums_finalize(sums, SIMDLOSS_EMPTY_ERROR, &value, &error), SIMDLOSS_VALUE,
              "empty", "nothing");
  REQUIRE_OK(simdloss_sums_add(expected, loss, &whole, NULL, &error));
  for (int64_t i = 0; i < 2; ++i) {
    const simdloss_operands part = row(1 - i, one_by_two);
    REQUIRE_OK(simdloss_sums_add(sums, loss, &part, NULL, &error));
  }
  REQUIRE_OK(simdloss_sums_finalize(sums, SIMDLOSS_EMPTY_ERROR, &value, &error));
  CHECK(value == 5.25);
  REQUIRE_OK(simdloss_sums_get_info(sums, &info, &error));
  CHECK(info.count == 2 && info.valid_count == 2 && info.weight_sum == 2);
  CHECK(info.reduction == SIMDLOSS_REDUCTION_MEAN && info.dtype == SIMDLOSS_FLOAT32);

  REQUIRE_OK(simdloss_sums_to_bytes(sums, NULL, 0, &size, &error));
  CHECK(size > 0);
  bytes = calloc(2, size);
  if (bytes == NULL) exit(EXIT_FAILURE);
  expected_bytes = bytes + size;
  CHECK_FAILS(simdloss_sums_to_bytes(sums, bytes, size - 1, &n, &error), SIMDLOSS_VALUE, "capacity",
              "must be at least");
  CHECK(n == size && bytes[0] == 0);
  REQUIRE_OK(simdloss_sums_to_bytes(sums, bytes, size, &n, &error));
  REQUIRE_OK(simdloss_sums_to_bytes(expected, expected_bytes, size, &n, &error));
  CHECK(memcmp(bytes, expected_bytes, size) == 0);

  CHECK_FAILS(simdloss_sums_add(sums, other_loss, &whole, NULL, &error), SIMDLOSS_VALUE, "loss",
              "same loss");
  CHECK_FAILS(simdloss_sums_add(sums, loss, &whole, &none, &error), SIMDLOSS_VALUE, "reduction",
              "REDUCTION_NONE");
  CHECK_FAILS(simdloss_sums_merge(sums, NULL, &error), SIMDLOSS_VALUE, "other", "null");
  REQUIRE_OK(simdloss_sums_to_bytes(sums, bytes, size, &n, &error));
  CHECK(memcmp(bytes, expected_bytes, size) == 0); /* as it was */

  REQUIRE_OK(simdloss_sums_from_bytes(bytes, size, &copy, &error));
  REQUIRE_OK(simdloss_sums_merge(copy, copy, &error));
  REQUIRE_OK(simdloss_sums_get_info(copy, &info, &error));
  CHECK(info.count == 4);
  REQUIRE_OK(simdloss_sums_finalize(copy, SIMDLOSS_EMPTY_NAN, &value, &error));
  CHECK(value == 5.25);
  simdloss_sums_destroy(copy);
  CHECK_FAILS(simdloss_sums_from_bytes(bytes, size - 1, &copy, &error), SIMDLOSS_VALUE, "bytes",
              "instead of");
  CHECK(copy == NULL);
  CHECK_FAILS(simdloss_sums_from_bytes(NULL, size, &copy, &error), SIMDLOSS_VALUE, "bytes", "null");
  free(bytes);
  simdloss_sums_destroy(expected);
  simdloss_sums_destroy(sums);
  simdloss_sums_destroy(NULL);
  simdloss_loss_destroy(other_loss);
  simdloss_loss_destroy(loss);
}

/* A struct of a later version with a member more. */
typedef struct later_request {
  simdloss_request request;
  int64_t added;
} later_request;

static void test_versions_of_structs(void) {
  simdloss_loss* const loss = loss_of("mean_squared_error");
  simdloss_operands operands = small_batch();
  float v = -1;
  const simdloss_mutable_array value = scalar(&v);
  later_request later;
  unsigned char guarded[sizeof(simdloss_request)];

  memset(&later, 'x', sizeof later);
  simdloss_request_init(&later.request, sizeof later);
  CHECK(later.request.struct_size == sizeof later && later.added == 0);
  REQUIRE_OK(simdloss_evaluate(loss, &operands, &later.request, &value, &error));
  CHECK(v == 5.25F);
  later.added = 1;
  CHECK_FAILS(simdloss_evaluate(loss, &operands, &later.request, &value, &error),
              SIMDLOSS_NOT_SUPPORTED, "request", "newer library");

  memset(guarded, 'x', sizeof guarded);
  simdloss_request_init((simdloss_request*)(void*)guarded, 8);
  CHECK(guarded[8] == 'x'); /* no byte behind what the caller has */
  later.request.struct_size = 8;
  CHECK_FAILS(simdloss_evaluate(loss, &operands, &later.request, &value, &error), SIMDLOSS_VALUE,
              "request", "simdloss_request_init()");
  operands.struct_size = 0x78787878;
  CHECK_FAILS(simdloss_evaluate(loss, &operands, NULL, &value, &error), SIMDLOSS_VALUE, "operands",
              "simdloss_operands_init()");
  simdloss_loss_destroy(loss);
}

static int stop(void* context) {
  ++*(int*)context;
  return 1;
}

/* 2^26 rows of the same two numbers, which take no memory. */
static void test_interruption(void) {
  simdloss_loss* const loss = loss_of("mean_squared_error");
  simdloss_operands operands = small_batch();
  simdloss_request request = request_of(SIMDLOSS_REDUCTION_MEAN);
  const int64_t shape[] = {(int64_t)1 << 26, 2}, strides[] = {0, 4};
  int calls = 0;
  float v = -1;
  const simdloss_mutable_array value = scalar(&v);
  operands.y_true.shape = operands.y_pred.shape = shape;
  operands.y_true.strides = operands.y_pred.strides = strides;
  request.interrupted = stop;
  request.interrupted_context = &calls;
  CHECK_FAILS(simdloss_evaluate(loss, &operands, &request, &value, &error), SIMDLOSS_INTERRUPTED,
              "", "interrupted");
  CHECK(calls == 1);
  simdloss_loss_destroy(loss);
}

static void test_process(void) {
  simdloss_loss* const loss = loss_of("mean_squared_error");
  const simdloss_operands operands = small_batch();
  const char *name = NULL, *reason = NULL;
  int32_t n = 0, before = 0, i = 0;
  float v;
  const simdloss_mutable_array value = scalar(&v);
  for (; simdloss_available_isa(i) != NULL; ++i) {
    REQUIRE_OK(simdloss_force_isa(simdloss_available_isa(i), &error));
    REQUIRE_OK(simdloss_active_isa(&name, &reason, &error));
    CHECK(strcmp(name, simdloss_available_isa(i)) == 0 && strcmp(reason, "forced") == 0);
    v = -1;
    REQUIRE_OK(simdloss_evaluate(loss, &operands, NULL, &value, &error));
    CHECK(v == 5.25F && simdloss_last_num_threads() == 1);
  }
  CHECK(i > 0 && simdloss_available_isa(-1) == NULL);
  CHECK_FAILS(simdloss_force_isa("mmx", &error), SIMDLOSS_VALUE, "isa", "mmx");
  REQUIRE_OK(simdloss_force_isa(NULL, &error));
  REQUIRE_OK(simdloss_active_isa(&name, NULL, &error));

  REQUIRE_OK(simdloss_num_threads(&before, NULL, &error));
  CHECK(before >= 1);
  REQUIRE_OK(simdloss_set_num_threads(3, &error));
  REQUIRE_OK(simdloss_num_threads(&n, &reason, &error));
  CHECK(n == 3 ? strcmp(reason, "set") == 0 : strcmp(reason, "no openmp") == 0);
  CHECK_FAILS(simdloss_set_num_threads(1025, &error), SIMDLOSS_VALUE, "n", "1025");
  REQUIRE_OK(simdloss_set_num_threads(0, &error));
  REQUIRE_OK(simdloss_num_threads(&n, NULL, &error));
  CHECK(n == before);
  simdloss_loss_destroy(loss);
}

int main(void) {
  test_versions_and_names();
  test_layouts();
  test_catalogue();
  test_creation();
  test_long_messages();
  test_values();
  test_derivatives();
  test_sums();
  test_versions_of_structs();
  test_interruption();
  test_process();
  printf("%d checks failed\n", n_failed);
  return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
