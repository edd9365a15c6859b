"""What pipelines are made of: the learners of the families, and the preprocessing before them.

A file here holds an engine (the mathematics, or the call of a library) and the scikit-learn estimator in front of it;
the file of the same name one floor up (`autometa.families`) says over which parameters it is searched.

Laws: nothing here knows a search space or the catalogue. The catalogue imports these modules when it builds a pipeline
and not before, so they may import scikit-learn at their top; the libraries that take longer (torch, LightGBM, XGBoost,
CatBoost) are imported by the functions that call them. `truncation` alone is imported with the catalogue, and stays
light. Fitted pipelines are pickled by the names of these modules, so whatever is moved or renamed here needs an entry
in `autometa.moved`.

    linear, naive_bayes, discriminant, svm, set_kernel, gaussian_process, additive, few_shot
    heads          the mathematics of few-shot heads, which the episodic learners share
    network, mlp   the neural network, and its training
    forests        of the random forest and of extra trees
    boosting       the estimator of lightgbm, catboost, xgboost and hist_gradient_boosting

    in_context     foundation models, which answer from rows by packages of their own
    preprocess     from the typed columns of a task to one numeric matrix
    features       columns made of columns; recipes, how; screening and gains, which
    faces          what several estimators share: the likeliest class, a standardised target
    holdout        an inner split, for early stopping and calibration
    truncation     training that ends at a deadline
    packing        forests in a fraction of the room, for whoever pickles them
    adam           one step of Adam
"""
