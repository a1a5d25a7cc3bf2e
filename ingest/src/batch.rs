//! Builders of columns that Arrow's own do not make as directly.
