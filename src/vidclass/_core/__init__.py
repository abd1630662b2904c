"""Internal foundations: files, text, parallel work; knows nothing about video."""
