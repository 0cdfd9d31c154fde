"""Preprocessing of handwritten digits: conversion of a photo or scan to the format of MNIST."""
