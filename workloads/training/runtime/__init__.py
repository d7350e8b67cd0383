"""What every training workload shares, and which knows no model.

A model file is plain PyTorch, top to bottom. It offers one `Workload` (see `workload.py`) whose `fit` receives its
settings, the location of the data, and a `Run`, and returns `Results`:

    def fit(settings: Settings, data: Location, run: Run) -> Results:
        images, labels, sha256 = load(data)
        run.use_data(sha256)  # a checkpoint of other data is not continued
        model = build(settings)
        network = run.distribute(model)  # on the device; wrapped for several devices
        optimiser = torch.optim.AdamW(model.parameters())
        run.keep(model=model, optimiser=optimiser)  # what checkpoints hold; restored here when resuming
        for epoch in run.epochs(settings.epochs):
            for rows in run.batches(len(images), settings.batch_size):
                with run.autocast():
                    loss = cross_entropy(network(images[rows]), labels[rows])
                run.step(loss, optimiser)
            run.record(validation_loss=..., validation_accuracy=...)
        return Results(test={"accuracy": ...}, ...)

Modules, in the order in which a run meets them:

    launch       torchrun, that ends as the training does
    settings     the options every workload has
    workload     what a model file offers, and the list of all of them
    storage      folders and s3:// through one interface
    device       device and numeric precision
    strategy     one device, several in one process, several processes
    randomness   seeds
    eager        no compiler, which takes 2 s to import, where nothing is compiled
    checkpoint   atomic, checked, the one before kept
    run          the object given to `fit`: epochs, batches, steps, records
    progress     what a person sees meanwhile
    system       CPU, memory and GPU use
    cloudwatch   metrics to CloudWatch
    results      what `fit` returns
    run_folder   how it is written: metrics.json, model, figures, model card, report
    train        one workload from its data to its published run folder
"""
