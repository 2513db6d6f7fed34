import ArgumentParser
import Raid

extension ReadPolicy: ExpressibleByArgument {}
