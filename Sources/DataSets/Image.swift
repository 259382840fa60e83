import CPrunecImages
import Foundation
import PrunecGraphIR

/// The pixels of an image file.
struct Image {
  var height: Int
  var width: Int
  /// 1 for grey, 3 for red, green and blue.
  var channels: Int
  /// `[height, width, channels]`, from 0 to 255.
  var pixels: [UInt8]
}

extension Image {
  /// Images of more pixels are refused: few bytes can stand for any number.
  private static let pixelLimit = 1 << 27

  /// Decodes the PNG or JPEG file at `path`, whatever it is called.
  ///
  /// Throws an input/output error where it cannot be read, and a malformed error where it is something else, damaged, or of
  /// more than 134 million pixels.
  init(path: String) throws(CompileError) {
    var status = stat()
    // Opening a pipe would wait for a writer.
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      let bytes = try? Data(contentsOf: URL(fileURLWithPath: path))
    else { throw CompileError(.inputOutput, "it cannot be read") }
    var image = prunec_image()
    defer { prunec_image_free(&image) }
    let isPNG = bytes.starts(with: [0x89, 0x50, 0x4E, 0x47])
    guard isPNG || bytes.starts(with: [0xFF, 0xD8]) else {
      throw CompileError(.malformed, "it is neither PNG nor JPEG")
    }
    let decode = isPNG ? prunec_decode_png : prunec_decode_jpeg
    let isDecoded = bytes.withUnsafeBytes { raw in
      let source = raw.bindMemory(to: UInt8.self)
      return decode(source.baseAddress, source.count, Self.pixelLimit, &image) != 0
    }
    guard isDecoded else {
      let message = withUnsafeBytes(of: image.message) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw CompileError(.malformed, message)
    }
    (height, width, channels) = (image.height, image.width, image.channels)
    pixels = Array(UnsafeBufferPointer(start: image.pixels, count: height * width * channels))
  }

  /// The image with one channel or three. Grey is the luma of ITU-R BT.601, `0.299 R + 0.587 G + 0.114 B`, rounded.
  func with(channels wanted: Int) -> Image {
    guard wanted != channels else { return self }
    var image = self
    image.channels = wanted
    let count = height * width
    image.pixels = [UInt8](unsafeUninitializedCapacity: count * wanted) { target, initialized in
      pixels.withUnsafeBufferPointer { source in
        for pixel in 0..<count {
          if wanted == 3 {
            for channel in 0..<3 { target[3 * pixel + channel] = source[pixel] }
          } else {
            let (red, green, blue) = (
              source[3 * pixel], source[3 * pixel + 1], source[3 * pixel + 2]
            )
            // The weights in units of 2^-16.
            let luma = Int(red) * 19595 + Int(green) * 38470 + Int(blue) * 7471
            target[pixel] = UInt8((luma + 0x8000) >> 16)
          }
        }
      }
      initialized = count * wanted
    }
    return image
  }
}
