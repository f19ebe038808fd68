//! A finished load on paper: JSON, CSV, hlog, and one HTML page that needs nothing else.
