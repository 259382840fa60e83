/// Decoding of PNG and JPEG files by libpng and libjpeg-turbo.
///
/// Both libraries leave a decoder by longjmp where a file is broken, which must not pass through frames of Swift. So
/// they are called here only, and errors come back as text.

#ifndef PRUNEC_IMAGES_H
#define PRUNEC_IMAGES_H

#include <stddef.h>
#include <stdint.h>

enum { prunec_image_message_size = 256 };

/// The pixels of an image, row by row, 8 bits a channel.
typedef struct {
  size_t width, height;
  /// 1 for grey, 3 for red, green and blue.
  size_t channels;
  /// height * width * channels bytes, which `prunec_image_free` frees; NULL where decoding has failed.
  uint8_t *pixels;
  /// Why decoding has failed.
  char message[prunec_image_message_size];
} prunec_image;

/// Decodes a PNG file. Palettes are looked up, grey of less than 8 bits is spread over 8, 16 bits are rounded to 8, and
/// alpha is dropped. Returns whether it succeeded; files of more than `pixel_limit` pixels fail.
int prunec_decode_png(const uint8_t *bytes, size_t count, size_t pixel_limit, prunec_image *image);

/// Decodes a JPEG file. CMYK and YCCK, taken to be inverted as Adobe writes them, become red, green and blue; the orientation
/// in EXIF data is ignored. Returns whether it succeeded; files of more than `pixel_limit` pixels fail, and so do those
/// that are cut short or damaged.
int prunec_decode_jpeg(const uint8_t *bytes, size_t count, size_t pixel_limit, prunec_image *image);

void prunec_image_free(prunec_image *image);

#endif
