"""Planimeter: how much of this picture is covered?"""
