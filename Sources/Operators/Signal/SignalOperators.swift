/// Windows, Fourier transforms, and what makes spectra of them.
let signalOperators: [any Operator] =
  [
    DFT(),
    MelWeightMatrix(),
    STFT(),
  ] + SignalWindow.all
