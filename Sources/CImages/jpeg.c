#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

#include "image.h"

/// All that outlives a longjmp: it is reached through a pointer, and so never in a register.
typedef struct {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf end;
  prunec_image *image;
  /// A row of CMYK.
  uint8_t *row;
} decoder;

/// A file of a few bytes can ask for any number of scans of a large image.
static const int scan_limit = 500;

static void fail(decoder *decoder, const char *message) {
  prunec_image_fail(decoder->image, message);
  longjmp(decoder->end, 1);
}

static void fail_by_library(j_common_ptr jpeg) {
  char message[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, message);
  fail(jpeg->client_data, message);
}

/// Fails where the library would make up pixels. What does not touch them passes, such as bytes between segments.
static void receive_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
  case JWRN_JPEG_EOF:
    fail(jpeg->client_data, "it is cut short");
    break;
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_BOGUS_PROGRESSION:
  case JWRN_MUST_RESYNC:
    fail_by_library(jpeg);
    break;
  default:
    break;
  }
}

static void print_nothing(j_common_ptr jpeg) { (void)jpeg; }

static void limit_scans(j_common_ptr jpeg) {
  if (jpeg->is_decompressor && ((j_decompress_ptr)jpeg)->input_scan_number > scan_limit) {
    fail(jpeg->client_data, "it has too many scans");
  }
}

/// Inverted CMYK is light that is left of each colour, and of all.
static void convert_inverted_cmyk(const uint8_t *cmyk, size_t width, uint8_t *rgb) {
  for (size_t x = 0; x < width; x++) {
    for (int channel = 0; channel < 3; channel++) {
      rgb[3 * x + channel] = (cmyk[4 * x + channel] * cmyk[4 * x + 3] + 127) / 255;
    }
  }
}

static void decode(decoder *decoder, const uint8_t *bytes, size_t count, size_t pixel_limit) {
  j_decompress_ptr jpeg = &decoder->jpeg;
  jpeg_create_decompress(jpeg);
  decoder->progress.progress_monitor = limit_scans;
  jpeg->progress = &decoder->progress;
  jpeg_mem_src(jpeg, bytes, count);
  jpeg_read_header(jpeg, TRUE);
  int is_cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
  int is_grey = jpeg->jpeg_color_space == JCS_GRAYSCALE;
  jpeg->out_color_space = is_cmyk ? JCS_CMYK : is_grey ? JCS_GRAYSCALE : JCS_RGB;

  // Before the library allocates anything of the image's size.
  const char *problem = prunec_image_allocate(decoder->image, jpeg->image_width,
                                              jpeg->image_height, is_grey ? 1 : 3, pixel_limit);
  if (problem) fail(decoder, problem);
  jpeg_start_decompress(jpeg);
  size_t width = decoder->image->width, stride = width * decoder->image->channels;
  if (jpeg->output_width != width || jpeg->output_height != decoder->image->height) {
    fail(decoder, "its rows have another size");
  }
  if (is_cmyk && !(decoder->row = malloc(4 * width))) fail(decoder, "there is no memory for a row");
  while (jpeg->output_scanline < jpeg->output_height) {
    uint8_t *target = decoder->image->pixels + jpeg->output_scanline * stride;
    JSAMPROW row = is_cmyk ? decoder->row : target;
    if (jpeg_read_scanlines(jpeg, &row, 1) != 1) fail(decoder, "it is cut short");
    if (is_cmyk) convert_inverted_cmyk(decoder->row, width, target);
  }
  jpeg_finish_decompress(jpeg);
}

int prunec_decode_jpeg(const uint8_t *bytes, size_t count, size_t pixel_limit,
                       prunec_image *image) {
  *image = (prunec_image){0};
  decoder *decoder = calloc(1, sizeof *decoder);
  if (!decoder) {
    prunec_image_fail(image, "there is no memory to decode it");
    return 0;
  }
  decoder->image = image;
  decoder->jpeg.err = jpeg_std_error(&decoder->errors);
  decoder->jpeg.client_data = decoder;
  decoder->errors.error_exit = fail_by_library;
  decoder->errors.emit_message = receive_message;
  decoder->errors.output_message = print_nothing;
  if (!setjmp(decoder->end)) decode(decoder, bytes, count, pixel_limit);
  jpeg_destroy_decompress(&decoder->jpeg);
  free(decoder->row);
  free(decoder);
  return image->pixels != NULL;
}
