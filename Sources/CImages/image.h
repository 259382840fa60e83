#ifndef PRUNEC_IMAGES_IMAGE_H
#define PRUNEC_IMAGES_IMAGE_H

#include "CImages.h"

/// Sets the extents of an image and allocates its pixels. Returns NULL, or why it cannot.
const char *prunec_image_allocate(prunec_image *image, size_t width, size_t height, size_t channels,
                                  size_t pixel_limit);

/// Frees the pixels and sets the message.
void prunec_image_fail(prunec_image *image, const char *message);

#endif
