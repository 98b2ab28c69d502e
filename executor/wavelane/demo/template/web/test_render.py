import unittest

import render


class RenderTest(unittest.TestCase):
    def test_it_is_documented(self):
        self.assertTrue(render.__doc__)
