/* SPDX-License-Identifier: Apache-2.0 */
/* Categorical cross-entropy from C: of a whole batch, with its gradient, and of the same batch in
 * two chunks that are added up. Link it with -lm too, for exp(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "simdloss.h"

enum { ROWS = 4, CLASSES = 3 };

/* Ends the program with what went wrong, unless nothing did. */
static void check(simdloss_status status, const simdloss_error* error) {
  if (status == SIMDLOSS_OK) return;
  fprintf(stderr, "simdloss: %s: %s\n", simdloss_status_name(status), error->message);
  exit(EXIT_FAILURE);
}

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not as expected: %s\n", what);
  exit(EXIT_FAILURE);
}

/* Class ids and logits of consecutive rows. */
static simdloss_operands rows_of(const int32_t* ids, const float* logits, const int64_t* shape) {
  simdloss_operands operands;
  simdloss_operands_init(&operands, sizeof operands);
  operands.y_true = (simdloss_array){ids, SIMDLOSS_INT32, 1, shape, NULL};
  operands.y_pred = (simdloss_array){logits, SIMDLOSS_FLOAT32, 2, shape, NULL};
  return operands;
}

int main(void) {
  const int32_t ids[ROWS] = {0, 2, 1, 1};
  const float logits[ROWS * CLASSES] = {2, 0, -1, 0.5F, 0.5F, 3, -1, 4, 0, 1, 1, 1};
  const int64_t shape[] = {ROWS, CLASSES};
  simdloss_error error;

  expect(simdloss_api_version() == SIMDLOSS_API_VERSION, "the version of the library");

  /* A loss is made once, and may then be used by all threads. */
  const simdloss_param params[] = {{"label_smoothing", 0.1}};
  simdloss_loss* loss;
  check(simdloss_loss_create("sparse_categorical_crossentropy_from_logits", params, 1, NULL, 0,
                             &loss, &error),
        &error);

  /* The mean over the batch, which a null request stands for, and its gradient by the logits. */
  const simdloss_operands batch = rows_of(ids, logits, shape);
  float value;
  float gradient[ROWS * CLASSES];
  const simdloss_mutable_array to_value = {&value, SIMDLOSS_FLOAT32, 0, NULL, NULL};
  const simdloss_mutable_array to_gradient = {gradient, SIMDLOSS_FLOAT32, 2, shape, NULL};
  check(simdloss_value_and_gradient(loss, &batch, NULL, &to_value, &to_gradient, &error), &error);
  printf("loss %.6f\n", (double)value);
  for (int i = 0; i < ROWS; ++i) {
    double sum = 0;
    printf("gradient of row %d:", i);
    for (int c = 0; c < CLASSES; ++c) {
      printf(" %9.6f", (double)gradient[i * CLASSES + c]);
      sum += (double)gradient[i * CLASSES + c];
    }
    printf("\n");
    expect(fabs(sum) < 1e-6, "a softmax does not change if a number is added to all logits");
  }

  /* The same batch in two chunks, of one row and of three: the same number, to the last bit. */
  const int64_t chunk_shapes[2][2] = {{1, CLASSES}, {ROWS - 1, CLASSES}};
  simdloss_sums* sums;
  check(simdloss_sums_create(&sums, &error), &error);
  for (int chunk = 0; chunk < 2; ++chunk) {
    const simdloss_operands part =
        rows_of(ids + chunk, logits + chunk * CLASSES, chunk_shapes[chunk]);
    check(simdloss_sums_add(sums, loss, &part, NULL, &error), &error);
  }
  double total;
  check(simdloss_sums_finalize(sums, SIMDLOSS_EMPTY_ERROR, &total, &error), &error);
  printf("in two chunks %.6f\n", total);
  expect(total == (double)value, "the chunks add up to the batch");

  /* The mean over rows of the cross-entropy with smoothed labels, term by term. */
  double reference = 0;
  for (int i = 0; i < ROWS; ++i) {
    double sum_exp = 0;
    for (int c = 0; c < CLASSES; ++c) sum_exp += exp((double)logits[i * CLASSES + c]);
    for (int c = 0; c < CLASSES; ++c) {
      const double label = (c == ids[i] ? 0.9 : 0.0) + 0.1 / CLASSES;
      reference += label * (log(sum_exp) - (double)logits[i * CLASSES + c]) / ROWS;
    }
  }
  expect(fabs(total - reference) < 1e-6, "the loss is that of the formula");

  /* Errors say what is wrong. */
  const int64_t too_short[] = {ROWS - 1, CLASSES};
  simdloss_operands wrong = batch;
  wrong.y_true.shape = too_short;
  expect(simdloss_evaluate(loss, &wrong, NULL, &to_value, &error) == SIMDLOSS_VALUE, "an error");
  printf("the error of ids for too few rows: %s\n", error.message);

  simdloss_sums_destroy(sums);
  simdloss_loss_destroy(loss);
  return EXIT_SUCCESS;
}
