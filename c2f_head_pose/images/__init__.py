"""Pixels of ROS messages, picture files, videos and cameras as arrays, and depth in metres."""

from .compressed_depth import depth_from_compressed, depth_from_message, encoding_of, holds_depth
from .encoded import ImageError, unpack
from .messages import DEPTH_ENCODINGS, ENCODINGS, check_metres, depth_m_from_message, image_from_compressed, image_from_message
from .pictures import PICTURE_SUFFIXES, find_pictures, read_picture
from .sixteen_bits import SignificantBits

__all__ = [
    'DEPTH_ENCODINGS',
    'ENCODINGS',
    'PICTURE_SUFFIXES',
    'ImageError',
    'SignificantBits',
    'check_metres',
    'depth_from_compressed',
    'depth_from_message',
    'depth_m_from_message',
    'encoding_of',
    'find_pictures',
    'holds_depth',
    'image_from_compressed',
    'image_from_message',
    'read_picture',
    'unpack',
]
