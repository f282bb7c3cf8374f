/* SPDX-License-Identifier: Apache-2.0
 *
 * Lockstep: training neural networks with the same bits on every device. Includes everything.
 */
#ifndef LOCKSTEP_LOCKSTEP_H
#define LOCKSTEP_LOCKSTEP_H

#include <lockstep/callbacks.h>
#include <lockstep/context.h>
#include <lockstep/data.h>
#include <lockstep/events.h>
#include <lockstep/files.h>
#include <lockstep/function.h>
#include <lockstep/history.h>
#include <lockstep/initializers.h>
#include <lockstep/layers.h>
#include <lockstep/layers_spatial.h>
#include <lockstep/losses.h>
#include <lockstep/metrics.h>
#include <lockstep/models.h>
#include <lockstep/ops.h>
#include <lockstep/optimizers.h>
#include <lockstep/progress.h>
#include <lockstep/regularizers.h>
#include <lockstep/schedules.h>
#include <lockstep/snapshot.h>
#include <lockstep/status.h>
#include <lockstep/tape.h>
#include <lockstep/tensor.h>
#include <lockstep/train.h>
#include <lockstep/update.h>
#include <lockstep/verify.h>

#endif
