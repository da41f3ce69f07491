"""A library that is imported for the first time, and changes the filters of warnings."""

import leaky_library

leaky_library.quiet()
