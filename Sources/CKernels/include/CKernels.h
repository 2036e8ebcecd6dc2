#ifndef CKERNELS_H
#define CKERNELS_H

#include "forest.h"
#include "lstm.h"
#include "nearest.h"

#endif
