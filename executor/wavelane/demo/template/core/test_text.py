import unittest

import text


class TextTest(unittest.TestCase):
    def test_every_function_is_listed(self):
        for name in text.FUNCTIONS:
            self.assertTrue(callable(getattr(text, name)))

    def test_slugify(self):
        if "slugify" in text.FUNCTIONS:
            self.assertEqual(text.slugify("  Hello, World "), "hello-world")
