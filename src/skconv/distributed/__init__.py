"""Distributed training: process group, collectives, synchronised layers."""
