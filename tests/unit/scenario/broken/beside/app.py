"""A program that the broken scenarios beside this folder name."""
