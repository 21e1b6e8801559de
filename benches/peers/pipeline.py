"""Times langid and VADER one after the other over the texts on stdin, one a line, as a Python pipeline would run them.

Prints a name and the microseconds of the median and of the 90th percentile, parted by tabs.
Needs the PyPI packages langid and vaderSentiment.
"""

import sys
import time

import langid
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer


def main():
    texts = sys.stdin.read().split("\n")
    vader = SentimentIntensityAnalyzer()
    langid.classify("the first call reads the model")
    times = []
    for text in texts:
        started = time.perf_counter()
        langid.classify(text)
        vader.polarity_scores(text)
        times.append((time.perf_counter() - started) * 1e6)
    times.sort()
    median, ninetieth = times[len(times) // 2], times[len(times) * 9 // 10]
    print(f"langid + VADER (Python), language and English sentiment\t{median:.1f}\t{ninetieth:.1f}")


main()
