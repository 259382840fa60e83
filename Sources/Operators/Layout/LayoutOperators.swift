/// The operators that move or convert elements and compute nothing.
let layoutOperators: [any Operator] =
  [
    Cast(), CastLike(), CenterCropPad(), Concat(), Dropout(), Expand(), Flatten(), Gather(),
    Identity(), Pad(), Reshape(), Slice(), Split(), Squeeze(), Tile(), Transpose(), Trilu(),
    Unsqueeze(),
  ] as [any Operator] + DepthToSpace.all
