#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

/// All that outlives a longjmp: it is reached through a pointer, and so never in a register.
typedef struct {
  png_structp png;
  png_infop info;
  png_bytepp rows;
  prunec_image *image;
  const uint8_t *next;
  size_t bytes_left;
} decoder;

static void fail(png_structp png, png_const_charp message) {
  prunec_image_fail(((decoder *)png_get_error_ptr(png))->image, message);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void read_bytes(png_structp png, png_bytep target, size_t count) {
  decoder *decoder = png_get_io_ptr(png);
  if (count > decoder->bytes_left) png_error(png, "it is cut short");
  memcpy(target, decoder->next, count);
  decoder->next += count;
  decoder->bytes_left -= count;
}

static void decode(decoder *decoder, size_t pixel_limit) {
  png_structp png = decoder->png;
  png_set_read_fn(png, decoder, read_bytes);
  // Chunks that are no pixels, such as text, are not worth more than this.
  png_set_chunk_malloc_max(png, 8 << 20);
  png_read_info(png, decoder->info);
  png_byte type = png_get_color_type(png, decoder->info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (!(type & PNG_COLOR_MASK_COLOR)) png_set_expand_gray_1_2_4_to_8(png);
  png_set_scale_16(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, decoder->info);

  size_t height = png_get_image_height(png, decoder->info);
  const char *problem =
      prunec_image_allocate(decoder->image, png_get_image_width(png, decoder->info), height,
                            type & PNG_COLOR_MASK_COLOR ? 3 : 1, pixel_limit);
  if (problem) png_error(png, problem);
  size_t stride = decoder->image->width * decoder->image->channels;
  if (png_get_rowbytes(png, decoder->info) != stride) png_error(png, "its rows have another size");
  decoder->rows = malloc(height * sizeof *decoder->rows);
  if (!decoder->rows) png_error(png, "there is no memory for its rows");
  for (size_t row = 0; row < height; row++) {
    decoder->rows[row] = decoder->image->pixels + row * stride;
  }
  png_read_image(png, decoder->rows);
  png_read_end(png, NULL);
}

int prunec_decode_png(const uint8_t *bytes, size_t count, size_t pixel_limit, prunec_image *image) {
  *image = (prunec_image){0};
  decoder *decoder = calloc(1, sizeof *decoder);
  if (!decoder) {
    prunec_image_fail(image, "there is no memory to decode it");
    return 0;
  }
  decoder->image = image;
  decoder->next = bytes;
  decoder->bytes_left = count;
  decoder->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, decoder, fail, ignore);
  decoder->info = decoder->png ? png_create_info_struct(decoder->png) : NULL;
  if (!decoder->info) {
    prunec_image_fail(image, "there is no memory to decode it");
  } else if (!setjmp(png_jmpbuf(decoder->png))) {
    decode(decoder, pixel_limit);
  }
  free(decoder->rows);
  png_destroy_read_struct(&decoder->png, &decoder->info, NULL);
  free(decoder);
  return image->pixels != NULL;
}
