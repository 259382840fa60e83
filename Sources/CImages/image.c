#include "image.h"

#include <stdio.h>
#include <stdlib.h>

const char *prunec_image_allocate(prunec_image *image, size_t width, size_t height, size_t channels,
                                  size_t pixel_limit) {
  if (width == 0 || height == 0) return "it has no pixels";
  if (width > pixel_limit / height) return "it has too many pixels";
  image->width = width;
  image->height = height;
  image->channels = channels;
  image->pixels = malloc(width * height * channels);
  return image->pixels ? NULL : "there is no memory for its pixels";
}

void prunec_image_free(prunec_image *image) {
  free(image->pixels);
  image->pixels = NULL;
}

void prunec_image_fail(prunec_image *image, const char *message) {
  prunec_image_free(image);
  snprintf(image->message, sizeof image->message, "%s", message);
}
