import ArgumentParser
import PrunecPassKit

/// Options of passes as those of a command: the name, the help, the range and the default are the pass's.
extension Option where Value: Sendable {
  /// An option that has the pass's default.
  package init(_ option: PassOption<Value>) {
    self.init(
      wrappedValue: option.defaultValue, name: .customLong(option.key), parsing: .unconditional,
      help: option.argumentHelp(), transform: { try option.checked(option.parse($0)) })
  }

  /// An option that may be left out, in which case the pass does without.
  package init<Element>(_ option: PassOption<Element?>) where Value == Element? {
    self.init(
      name: .customLong(option.key), parsing: .unconditional, help: option.argumentHelp(),
      transform: { try option.checked(option.parse($0) ?? nil) })
  }

  /// An option that may be left out, in which case its value comes from elsewhere: `standIn` says where from.
  package init<Element>(
    _ option: PassOption<Element>, orElse standIn: String
  ) where Value == Element? {
    self.init(
      name: .customLong(option.key), parsing: .unconditional,
      help: option.argumentHelp(default: standIn),
      transform: { try option.checked(option.parse($0)) })
  }

  /// An option that may be given any number of times.
  package init<Element>(_ option: PassOption<[Element]>) where Value == [Element] {
    self.init(
      wrappedValue: [], name: .customLong(option.key), parsing: .singleValue,
      help: option.argumentHelp(), transform: { try option.checked(option.parse($0)?.first) })
  }
}

extension PassOptionDescription {
  /// The help with what else there is to say: the default, and whether the option may be given several times.
  func helpText(default standIn: String? = nil) -> String {
    let notes = [
      (standIn ?? defaultText).map { "default: \($0)" }, isRepeatable ? "repeatable" : nil,
    ].compactMap { $0 }
    return notes.isEmpty ? help : "\(help) (\(notes.joined(separator: "; ")))"
  }

  fileprivate func argumentHelp(default standIn: String? = nil) -> ArgumentHelp {
    ArgumentHelp(helpText(default: standIn), valueName: valueName)
  }

  /// `value`, which a text has been read as. Throws a usage error where it could not be.
  fileprivate func checked<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw ValidationError("it is not \(expectation)") }
    return value
  }
}
