"""The meta-learned surrogate: a Gaussian process whose prior mean and features were learned from past tasks.

Adapting it to a task is a closed form and costs milliseconds (`surrogate`, NumPy and SciPy only); learning it imports
torch, here alone in this room (`training`).

Letters:  m evaluations · q points asked about · d encoded dimensions · t past tasks · k features.
"""
