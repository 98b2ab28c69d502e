import unittest

import pages


class PagesTest(unittest.TestCase):
    def test_there_are_pages(self):
        self.assertIn("hello-world", pages.PAGES)
